import torch

from mnist_lightning.data.datamodule import MNISTDataModule
from mnist_lightning.data.digits import Digits, Subset


def _selection(digits: Digits) -> Subset:
    return Subset(digits, torch.tensor([7, 3, 11]))


def test_a_selection_gives_the_images_at_its_indices(tiny_digits: Digits) -> None:
    selection = _selection(tiny_digits)

    assert len(selection) == 3
    assert torch.equal(selection.images, tiny_digits.images[[7, 3, 11]])
    assert torch.equal(selection.labels, tiny_digits.labels[[7, 3, 11]])


def test_a_part_of_a_selection_is_counted_from_its_own_beginning(tiny_digits: Digits) -> None:
    selection = _selection(tiny_digits)

    for index in (slice(1, 3), torch.tensor([1, 2])):
        part = selection[index]
        assert torch.equal(part.images, tiny_digits.images[[3, 11]])
        assert torch.equal(part.labels, tiny_digits.labels[[3, 11]])


def test_moving_to_another_device_copies_the_selected_images_only(tiny_digits: Digits) -> None:
    selection = _selection(tiny_digits)

    moved = selection.to(torch.device("meta"))

    assert isinstance(moved, Digits)
    assert moved.device.type == "meta"
    assert moved.images.shape == (3, 1, 28, 28)
    assert selection.to(torch.device("cpu")) is selection


def test_the_training_images_are_in_memory_once(tiny_data: MNISTDataModule) -> None:
    assert tiny_data.train.whole is tiny_data.dataset.train
    assert tiny_data.train_dataloader().digits is tiny_data.train
