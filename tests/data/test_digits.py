import torch

from mnist_lightning.data.datamodule import MNISTDataModule
from mnist_lightning.data.digits import Digits, Subset


def _subset(digits: Digits) -> Subset:
    return Subset(digits, torch.tensor([7, 3, 11]))


def test_a_subset_has_the_images_at_its_indices(tiny_digits: Digits) -> None:
    subset = _subset(tiny_digits)

    assert len(subset) == 3
    assert torch.equal(subset.images, tiny_digits.images[[7, 3, 11]])
    assert torch.equal(subset.labels, tiny_digits.labels[[7, 3, 11]])


def test_indices_into_a_subset_are_relative_to_it(tiny_digits: Digits) -> None:
    subset = _subset(tiny_digits)

    for index in (slice(1, 3), torch.tensor([1, 2])):
        part = subset[index]
        assert torch.equal(part.images, tiny_digits.images[[3, 11]])
        assert torch.equal(part.labels, tiny_digits.labels[[3, 11]])


def test_moving_to_another_device_copies_only_the_subset(tiny_digits: Digits) -> None:
    subset = _subset(tiny_digits)

    moved = subset.to(torch.device("meta"))

    assert isinstance(moved, Digits)
    assert moved.device.type == "meta"
    assert moved.images.shape == (3, 1, 28, 28)
    assert subset.to(torch.device("cpu")) is subset


def test_the_training_images_are_in_memory_once(tiny_data: MNISTDataModule) -> None:
    assert tiny_data.train.whole is tiny_data.dataset.train
    assert tiny_data.train_dataloader().digits is tiny_data.train
