"""The sources of weights: the cache, a server on the loopback, a path."""

import hashlib
import socket
import time
from pathlib import Path

import pytest
import torch
from bad_servers import Server
from torchvision.models import ResNet50_Weights, resnet50

from mnist_lightning.errors import WeightsError
from mnist_lightning.models import pretrained as weights
from mnist_lightning.models.pretrained import (
    Pretrained,
    load_backbone,
    resolve_weights,
    weights_label,
)
from mnist_lightning.models.resnet50 import ResNet50


def publish(monkeypatch: pytest.MonkeyPatch, base_url: str, content: bytes) -> str:
    """Redefine ``imagenet`` as a file with this content; returns the name of the file."""
    name = f"resnet50-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    entry = Pretrained("stand-in", f"{base_url}{name}")
    monkeypatch.setitem(weights.PRETRAINED, "imagenet", entry)
    return name


def test_file_is_downloaded_once_and_then_read_from_the_cache(
    server: Server, hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = publish(monkeypatch, server.url, b"weights")
    server.files[f"/{name}"] = b"weights"
    for _ in range(2):
        assert resolve_weights("imagenet") == hub / name
    assert (hub / name).read_bytes() == b"weights"
    assert server.asked == [f"/{name}"]


def test_wrong_cached_file_is_refused_with_both_prefixes(
    hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = publish(monkeypatch, "http://127.0.0.1:9/", b"weights")
    hub.mkdir(parents=True)
    (hub / name).write_bytes(b"other")
    found = hashlib.sha256(b"other").hexdigest()[:8]
    with pytest.raises(WeightsError) as caught:
        resolve_weights("imagenet")
    expected = hashlib.sha256(b"weights").hexdigest()[:8]
    assert str(caught.value) == (
        f"{hub / name} is damaged: its SHA-256 starts with {found}, not with {expected}. "
        "Move it away and run again to download it."
    )


def test_wrong_content_of_the_server_is_not_kept(
    server: Server, hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = publish(monkeypatch, server.url, b"weights")
    server.files[f"/{name}"] = b"forgery"
    with pytest.raises(WeightsError, match="SHA-256"):
        resolve_weights("imagenet")
    assert not list(hub.glob("*.pth"))


def assert_names_all_remedies(message: str, url: str, path: Path) -> None:
    for part in (url, str(path), "--model.weights PATH", "--model resnet50_scratch"):
        assert part in message
    assert "\n" not in message


def test_without_network_one_message_names_url_path_and_choices(
    hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/"
    name = publish(monkeypatch, url, b"weights")
    with pytest.raises(WeightsError) as caught:
        resolve_weights("imagenet")
    assert_names_all_remedies(str(caught.value), f"{url}{name}", hub / name)


def test_silent_server_is_given_up_in_time(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        name = publish(monkeypatch, url, b"weights")
        start = time.monotonic()
        monkeypatch.setattr(weights, "TIMEOUT_SECONDS", 0.2)
        with pytest.raises(WeightsError) as caught:
            resolve_weights("imagenet")
    assert time.monotonic() - start < 30
    assert_names_all_remedies(str(caught.value), f"{url}{name}", hub / name)


def test_unwritable_cache_is_a_weights_error(
    tmp_path: Path, hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(monkeypatch, "http://127.0.0.1:9/", b"weights")
    (tmp_path / "torch").write_text("a file where a folder should be")
    with pytest.raises(WeightsError, match=r"--model\.weights PATH"):
        resolve_weights("imagenet")


def test_none_and_paths_need_no_network(tmp_path: Path) -> None:
    path = tmp_path / "mine.pth"
    path.write_bytes(b"anything")
    assert resolve_weights("none") is None
    assert resolve_weights(str(path)) == path


def test_missing_path_is_refused_with_the_other_choices(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"imagnet does not exist: .*imagenet, imagenet_v1"):
        resolve_weights(str(tmp_path / "imagnet"))


@pytest.mark.parametrize(
    ("choice", "label"),
    [
        ("imagenet", "ImageNet (IMAGENET1K_V2)"),
        ("imagenet_v1", "ImageNet (IMAGENET1K_V1)"),
        ("none", "random initialisation"),
        ("some/folder/my.safetensors", "the file my.safetensors"),
    ],
)
def test_label_says_what_the_backbone_starts_from(choice: str, label: str) -> None:
    assert weights_label(choice) == label


def test_published_files_are_those_of_torchvision() -> None:
    v1, v2 = weights.PRETRAINED["imagenet_v1"], weights.PRETRAINED["imagenet"]
    assert (v1.url, v2.url) == (
        ResNet50_Weights.IMAGENET1K_V1.url,
        ResNet50_Weights.IMAGENET1K_V2.url,
    )
    assert (v1.sha256_prefix, v2.sha256_prefix) == ("0676ba61", "11ad3fa6")


@pytest.fixture(scope="module")
def network() -> ResNet50:
    torch.manual_seed(1)
    return ResNet50(image_size=32)


def test_torchvision_state_dict_is_loaded_and_its_head_ignored(
    network: ResNet50, tmp_path: Path
) -> None:
    torch.manual_seed(2)
    source = resnet50().state_dict()
    path = tmp_path / "stand-in.pth"
    torch.save(source, path)
    head = network.head.weight.clone()
    load_backbone(network, path)
    loaded = network.backbone.state_dict()
    assert loaded.keys() == source.keys() - {"fc.weight", "fc.bias"}
    for name, tensor in loaded.items():
        assert torch.equal(tensor, source[name]), name
    assert torch.equal(network.head.weight, head)


def test_network_is_unchanged_by_weights_that_do_not_fit(network: ResNet50, tmp_path: Path) -> None:
    tensors = dict(network.backbone.state_dict())
    before = tensors["conv1.weight"].clone()
    tensors["conv1.weight"] = before + 1
    tensors["layer4.2.bn3.running_var"] = torch.ones(7)
    path = tmp_path / "weights.pth"
    torch.save(tensors, path)
    with pytest.raises(WeightsError, match=r"layer4.2.bn3.running_var has the shape \(7,\)"):
        load_backbone(network, path)
    assert torch.equal(network.backbone.conv1.weight, before)
