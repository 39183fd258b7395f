"""The feature cache: equality, reuse, interruption, damage, concurrent runs."""

import logging
import shutil
import threading
import time
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest
import torch
from filelock import FileLock
from torch import Tensor

from mnist_lightning.errors import OutputError, WeightsError
from mnist_lightning.models import feature_cache
from mnist_lightning.models.feature_cache import (
    backbone_hash,
    cache_key,
    cached_features,
    file_stem,
)
from mnist_lightning.models.feature_extraction import FeatureExtractor
from mnist_lightning.models.feature_store import FeatureStore
from mnist_lightning.models.resnet50 import FEATURES, ResNet50

ROWS = 5
CHUNK = 2


@pytest.fixture(scope="module")
def images() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (ROWS, 1, 28, 28), dtype=torch.uint8, generator=generator)


@pytest.fixture(scope="module")
def network() -> ResNet50:
    torch.manual_seed(0)
    return ResNet50(image_size=32)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature_cache, "CHUNK_ROWS", CHUNK)


def cached(network: ResNet50, images: Tensor, folder: Path, **options: Any) -> Tensor:
    options = {"precision": "32-true", "title": "digits", **options}
    return cached_features(network, images, folder=folder, **options)


class CountedExtractor(FeatureExtractor):
    """Counts the images that go through the backbone and is interrupted after ``limit``."""

    computed = 0
    limit = 10**9

    def __call__(self, images: Tensor) -> Any:
        cls = type(self)
        if cls.computed + len(images) > cls.limit:
            raise KeyboardInterrupt
        cls.computed += len(images)
        return super().__call__(images)


@pytest.fixture
def backbone_runs(monkeypatch: pytest.MonkeyPatch) -> type[CountedExtractor]:
    class Counted(CountedExtractor):
        pass

    monkeypatch.setattr(feature_cache, "FeatureExtractor", Counted)
    return Counted


def test_cached_and_uncached_features_are_the_same(
    network: ResNet50, images: Tensor, tmp_path: Path, backbone_runs: type[CountedExtractor]
) -> None:
    extract = FeatureExtractor(network, "32-true")
    uncached = torch.cat(
        [rows for start in range(0, ROWS, CHUNK) for rows in extract(images[start : start + CHUNK])]
    )
    first = cached(network, images, tmp_path)
    second = cached(network, images, tmp_path)
    assert (first.dtype, first.shape) == (torch.float16, (ROWS, FEATURES))
    assert torch.equal(first, uncached.half())
    assert torch.equal(second, first)
    assert backbone_runs.computed == ROWS
    with torch.inference_mode():
        plain = network.eval().features(images)
    torch.testing.assert_close(first.float(), plain, atol=1e-4, rtol=1e-3)


def test_interrupted_cache_continues_where_it_stopped(
    network: ResNet50, images: Tensor, tmp_path: Path, backbone_runs: type[CountedExtractor]
) -> None:
    expected = cached(network, images, tmp_path / "whole")
    backbone_runs.computed, backbone_runs.limit = 0, 2 * CHUNK
    with pytest.raises(KeyboardInterrupt):
        cached(network, images, tmp_path / "broken")
    assert backbone_runs.computed == 2 * CHUNK
    backbone_runs.computed = 0
    assert torch.equal(cached(network, images, tmp_path / "broken"), expected)
    assert backbone_runs.computed == ROWS - 2 * CHUNK


def test_only_a_damaged_chunk_is_computed_again(
    network: ResNet50, images: Tensor, tmp_path: Path, backbone_runs: type[CountedExtractor]
) -> None:
    expected = cached(network, images, tmp_path).clone()
    (path,) = tmp_path.glob("*.bin")
    path.write_bytes(bytes(4) + path.read_bytes()[4:])
    backbone_runs.computed = 0
    assert torch.equal(cached(network, images, tmp_path), expected)
    assert backbone_runs.computed == CHUNK


def test_key_changes_with_the_content_of_every_input(network: ResNet50, images: Tensor) -> None:
    key = cache_key(network, images, "32-true")
    bigger = ResNet50(image_size=48)
    bigger.load_state_dict(network.state_dict())
    changed = ResNet50(image_size=32)
    changed.load_state_dict(network.state_dict())
    assert (
        cache_key(changed.to(memory_format=torch.channels_last), images.clone(), "32-true") == key
    )
    changed.head.weight.data.add_(1)
    assert cache_key(changed, images, "32-true") == key
    changed.backbone.layer4[2].bn3.running_var[0].add_(1)
    other_mean = ResNet50(32)
    other_mean.mean.fill_(0.5)
    other_mean.backbone.load_state_dict(network.backbone.state_dict())
    others = [
        cache_key(bigger, images, "32-true"),
        cache_key(changed, images, "32-true"),
        cache_key(other_mean, images, "32-true"),
        cache_key(network, images, "bf16-mixed"),
        cache_key(network, images.flip(0), "32-true"),
        cache_key(network, images[:-1], "32-true"),
    ]
    assert len({file_stem(other) for other in [key, *others]}) == 1 + len(others)


def test_backbone_hash_ignores_the_number_of_batches(network: ResNet50) -> None:
    before = backbone_hash(network)
    network.backbone.bn1.num_batches_tracked.add_(1)
    assert backbone_hash(network) == before


def test_size_is_logged_before_anything_is_computed(
    network: ResNet50,
    images: Tensor,
    tmp_path: Path,
    backbone_runs: type[CountedExtractor],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    backbone_runs.limit = 0
    with pytest.raises(KeyboardInterrupt):
        cached(network, images, tmp_path)
    assert caplog.messages[0] == f"Caching 5 x 2,048 features: 0.02 MB in {tmp_path}"


def test_full_disk_is_detected_before_anything_is_computed(
    network: ResNet50,
    images: Tensor,
    tmp_path: Path,
    backbone_runs: type[CountedExtractor],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9, 20_479))
    with pytest.raises(OutputError, match=r"--model.feature_cache_dir: .* has 0 MB left"):
        cached(network, images, tmp_path)
    assert backbone_runs.computed == 0
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9, 20_480))
    assert len(cached(network, images, tmp_path)) == ROWS


def test_disk_that_fills_up_later_is_an_output_error(
    network: ResNet50, images: Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(FeatureStore, "write", no_space)
    with pytest.raises(OutputError, match=r"No space left on device. Choose another folder"):
        cached(network, images, tmp_path)


def test_folder_that_is_a_file_is_an_output_error(
    network: ResNet50, images: Tensor, tmp_path: Path
) -> None:
    (tmp_path / "cache").touch()
    with pytest.raises(OutputError, match="cache cannot be used: File exists"):
        cached(network, images, tmp_path / "cache")


def test_second_run_waits_for_the_first_and_uses_its_features(
    network: ResNet50,
    images: Tensor,
    tmp_path: Path,
    backbone_runs: type[CountedExtractor],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    results: list[Tensor] = []
    threads = [
        threading.Thread(target=lambda: results.append(cached(network, images, tmp_path)))
        for _ in range(2)
    ]
    stem = file_stem(cache_key(network, images, "32-true"))
    with FileLock(tmp_path / f".{stem}.lock"):
        for thread in threads:
            thread.start()
        while caplog.text.count("waiting for it") < 2:
            assert all(thread.is_alive() for thread in threads)
            time.sleep(0.01)
    for thread in threads:
        thread.join()
    assert backbone_runs.computed == ROWS
    assert torch.equal(*results)


def test_features_that_overflow_half_precision_are_refused(images: Tensor, tmp_path: Path) -> None:
    network = ResNet50(image_size=28)
    network.backbone.layer4[2].bn3.weight.data.fill_(1e9)
    with pytest.raises(WeightsError, match="not finite in half precision"):
        cached(network, images[:1], tmp_path)
    assert not list(tmp_path.glob("*.bin"))
