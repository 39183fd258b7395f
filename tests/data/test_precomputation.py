"""Values computed from the images once: of which images, in which order, and how they are used."""

from collections.abc import Callable

import pytest
import torch
from lightning import LightningModule, Trainer
from torch import Tensor, nn

from mnist_lightning.data.augmentation import Augmentation
from mnist_lightning.data.datamodule import MNISTDataModule
from mnist_lightning.data.digits import Digits
from mnist_lightning.data.loader import BatchLoader
from mnist_lightning.data.precomputation import Precomputation
from mnist_lightning.errors import DataError

ROTATION = Augmentation(rotation=30, scale=0, shear=0, shift=0)


class Darkness:
    """Computes two numbers for each image, and records its arguments."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Tensor]] = []

    def __call__(self, images: Tensor, title: str) -> Tensor:
        self.asked.append((title, images))
        return images.half().mean(dim=(1, 3))[:, :2]


@pytest.fixture
def darkness() -> Darkness:
    return Darkness()


def test_training_and_validation_images_are_replaced_and_labels_kept(
    darkness: Darkness, tiny_digits: Digits
) -> None:
    precomputation = Precomputation(darkness, 0, None)
    (training,) = precomputation.training_passes(tiny_digits, seed=0)
    validation = precomputation.evaluation(tiny_digits, "validation images")
    for digits in (training, validation):
        assert (digits.images.dtype, digits.images.shape) == (torch.float16, (50, 2))
        assert torch.equal(digits.labels, tiny_digits.labels)
    assert [title for title, _ in darkness.asked] == ["training images", "validation images"]
    assert all(torch.equal(images, tiny_digits.images) for _, images in darkness.asked)


def _copies(seed: int, digits: Digits) -> list[Tensor]:
    darkness = Darkness()
    passes = Precomputation(darkness, 2, ROTATION).training_passes(digits, seed)
    assert len(passes) == 3
    assert [title for title, _ in darkness.asked] == [
        "training images",
        "training images, distorted copy 1 of 2",
        "training images, distorted copy 2 of 2",
    ]
    return [images for _, images in darkness.asked]


def test_copies_are_distorted_differently_and_the_same_in_every_run(
    tiny_digits: Digits, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, again, other = (_copies(seed, tiny_digits) for seed in (0, 0, 1))
    assert torch.equal(first[0], tiny_digits.images)
    assert all(map(torch.equal, first, again))
    different = [*first, *other[1:]]
    for i, images in enumerate(different):
        assert (images.dtype, images.shape) == (torch.uint8, tiny_digits.images.shape)
        assert not any(torch.equal(images, another) for another in different[:i])
    monkeypatch.setattr("mnist_lightning.data.precomputation._CHUNK", 7)
    assert all(map(torch.equal, first, _copies(0, tiny_digits)))


@pytest.mark.parametrize(
    ("passes", "augmentation", "message"),
    [(2, None, "augmented_passes 2 needs"), (0, ROTATION, "augmentation has no effect")],
)
def test_copies_and_distortions_require_each_other(
    passes: int, augmentation: Augmentation | None, message: str, darkness: Darkness
) -> None:
    data = MNISTDataModule(augmentation=augmentation)
    with pytest.raises(DataError, match=message):
        data.precompute_with(darkness, passes)


def test_epochs_cycle_through_the_passes_in_the_order_of_the_images(
    tiny_digits: Digits,
) -> None:
    passes = [Digits(tiny_digits.images + n, tiny_digits.labels) for n in range(3)]
    loader = BatchLoader(passes[0], 16, seed=5, more_passes=passes[1:])
    for epoch in range(5):
        expected = BatchLoader(passes[epoch % 3], 16, seed=5)
        for one in (loader, expected):
            one.set_epoch(epoch)
        for found, batch in zip(loader, expected, strict=True):
            assert torch.equal(found.images, batch.images)
            assert torch.equal(found.labels, batch.labels)


class Watcher(LightningModule):
    """Records the values that it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 1)
        self.seen: dict[str, list[Tensor]] = {"train": [], "val": [], "test": []}

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        self.seen["train"].append(batch[0])
        loss: Tensor = self.layer(batch[0].float()).mean()
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self.seen["val"].append(batch[0])

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self.seen["test"].append(batch[0])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters())


def test_all_three_parts_use_the_values_that_were_computed_once(
    make_trainer: Callable[..., Trainer], tiny_data: MNISTDataModule, darkness: Darkness
) -> None:
    tiny_data.augmentation = ROTATION
    tiny_data.precompute_with(darkness, 1)
    model, trainer = Watcher(), make_trainer(max_epochs=2)
    trainer.fit(model, tiny_data)
    trainer.test(model, tiny_data, verbose=False)

    assert [len(images) for _, images in darkness.asked] == [350, 350, 50, len(tiny_data.test)]
    half = len(model.seen["train"]) // 2
    for seen, (_, images) in zip(
        (model.seen["train"][:half], model.seen["train"][half:]), darkness.asked, strict=False
    ):
        expected = images.half().mean(dim=(1, 3))[:, :2]
        assert torch.equal(torch.cat(seen).sort(0).values, expected.sort(0).values)
    expected = tiny_data.test.images.half().mean(dim=(1, 3))[:, :2]
    assert torch.equal(torch.cat(model.seen["test"]), expected)
