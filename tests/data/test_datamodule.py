from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning import LightningModule, Trainer
from torch import Tensor

from mnist_lightning.data import datamodule
from mnist_lightning.data.augmentation import Augmentation
from mnist_lightning.data.datamodule import MNISTDataModule
from mnist_lightning.data.digits import DigitDataset, Digits
from mnist_lightning.data.loader import Batch
from mnist_lightning.data.sources import load_dataset
from mnist_lightning.errors import DataError


class Recorder(LightningModule):
    """Records the images it is given, by stage and epoch; learns nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.seen: dict[str, list[Tensor]] = {}

    def _remember(self, stage: str, batch: tuple[Tensor, Tensor]) -> None:
        self.seen.setdefault(stage, []).append(batch[0].clone())

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        self._remember(f"train {self.current_epoch}", batch)
        return self.weight.sum()

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self._remember("val", batch)

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self._remember("test", batch)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)

    def images(self, stage: str) -> Tensor:
        return torch.cat(self.seen[stage])


def _set_up(**options: Any) -> MNISTDataModule:
    data = MNISTDataModule(**options)
    data.prepare_data()
    data.setup()
    return data


def _pictures(images: Tensor) -> list[bytes]:
    return [image.tobytes() for image in images.numpy()]


def _batches(batches: Iterable[Batch]) -> list[bytes]:
    return [picture for batch in batches for picture in _pictures(batch.images)]


def _shares(digits: Digits) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.bincount(digits.labels, minlength=10) / len(digits)


def _check_split(data: MNISTDataModule, sizes: tuple[int, int, int]) -> None:
    """Check sizes, separation and stratification on the batches that a Trainer would get."""
    train = _batches(data.train_dataloader())
    val = _batches(data.val_dataloader())
    test = _batches(data.test_dataloader())

    assert (len(train), len(val), len(test)) == sizes
    assert not set(train) & set(test)
    assert not set(val) & set(test)
    # Each training image of the files is in exactly one of the two, and no test image is missing.
    assert sorted(train + val) == sorted(_pictures(data.dataset.train.images))
    assert test == _pictures(data.dataset.test.images)
    both = torch.cat([data.train_indices, data.val_indices])
    assert torch.equal(both.sort().values, torch.arange(len(data.dataset.train)))
    # The number of validation images of each digit is off by less than one from its share.
    expected = _shares(data.dataset.train) * sizes[1]
    assert np.abs(_shares(data.val) * sizes[1] - expected).max() < 1


def test_no_test_image_is_trained_or_validated_on_with_the_embedded_digits() -> None:
    data = _set_up(source="mnist5k", augmentation=Augmentation(elastic=0.6))

    total = len(data.dataset.train)
    _check_split(data, (total - total // 8, total // 8, len(data.dataset.test)))
    assert total + len(data.dataset.test) == 5000


@pytest.mark.mnist
def test_no_test_image_is_trained_or_validated_on_with_the_whole_mnist(mnist_dir: Path) -> None:
    data = _set_up(data_dir=str(mnist_dir), source="mnist", augmentation=Augmentation())

    assert data.dataset.is_standard
    _check_split(data, (55_000, 5_000, 10_000))


def test_an_eighth_of_a_small_training_set_is_set_aside(tiny_data: MNISTDataModule) -> None:
    _check_split(tiny_data, (350, 50, 100))


def test_the_requested_number_of_validation_images_is_set_aside(tiny_data_dir: Path) -> None:
    _check_split(_set_up(data_dir=str(tiny_data_dir), val_size=20), (380, 20, 100))


def test_the_split_is_the_same_for_every_seed(tiny_data_dir: Path) -> None:
    first, second = (_set_up(data_dir=str(tiny_data_dir), seed=seed) for seed in (0, 1))

    assert torch.equal(first.val_indices, second.val_indices)
    assert torch.equal(first.train_indices, second.train_indices)
    assert torch.equal(first.val.images, second.val.images)
    assert _batches(first.train_dataloader()) != _batches(second.train_dataloader())


def test_indices_refer_to_the_images_in_the_files(tiny_data: MNISTDataModule) -> None:
    files = tiny_data.dataset.train

    assert torch.equal(files.images[tiny_data.val_indices], tiny_data.val.images)
    assert torch.equal(files.labels[tiny_data.val_indices], tiny_data.val.labels)
    assert torch.equal(files.images[tiny_data.train_indices], tiny_data.train.images)


def test_a_trainer_sees_each_image_once_per_epoch_and_distorts_only_training_images(
    tiny_data: MNISTDataModule, make_trainer: Callable[..., Trainer]
) -> None:
    tiny_data.augmentation = Augmentation()
    model, trainer = Recorder(), make_trainer(max_epochs=2)

    trainer.fit(model, tiny_data)
    trainer.test(model, tiny_data, verbose=False)

    first, second = model.images("train 0"), model.images("train 1")
    assert first.dtype == second.dtype == torch.uint8
    assert len(first) == len(second) == 350
    assert not set(_pictures(first)) & set(_pictures(second))
    assert not set(_pictures(first)) & set(_pictures(tiny_data.train.images))
    assert torch.equal(model.images("val"), tiny_data.val.images.repeat(2, 1, 1, 1))
    assert torch.equal(model.images("test"), tiny_data.dataset.test.images)
    assert len(model.images("test")) == 100


def test_the_order_differs_between_epochs_and_not_between_runs(
    tiny_data: MNISTDataModule, make_trainer: Callable[..., Trainer]
) -> None:
    runs = []
    for _ in range(2):
        model = Recorder()
        make_trainer(max_epochs=2).fit(model, tiny_data)
        runs.append(model)
    first, second = (_pictures(runs[0].images(f"train {epoch}")) for epoch in (0, 1))

    assert sorted(first) == sorted(second) == sorted(_pictures(tiny_data.train.images))
    assert first != second
    assert first == _pictures(runs[1].images("train 0"))
    assert second == _pictures(runs[1].images("train 1"))


def test_the_state_lets_the_next_training_continue_in_the_middle_of_an_epoch(
    tiny_data: MNISTDataModule, tiny_data_dir: Path
) -> None:
    whole = [batch.labels for batch in tiny_data.train_dataloader()]
    assert MNISTDataModule().state_dict() == {}
    for step, _ in enumerate(tiny_data.train_dataloader(), start=1):
        if step == 4:
            break
    state = tiny_data.state_dict()

    resumed = _set_up(data_dir=str(tiny_data_dir), batch_size=64)
    resumed.load_state_dict(state)
    tail = [batch.labels for batch in resumed.train_dataloader()]
    again = [batch.labels for batch in resumed.train_dataloader()]

    assert state == {"position": 4}
    assert [labels.tolist() for labels in tail] == [labels.tolist() for labels in whole[4:]]
    assert len(again) == len(whole) == 6


@pytest.fixture
def downloads(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """The value of ``download`` in each call of ``load_dataset``."""
    calls: list[bool] = []

    def load(*args: Any, download: bool, **options: Any) -> DigitDataset:
        calls.append(download)
        return load_dataset(*args, download=download, **options)

    monkeypatch.setattr(datamodule, "load_dataset", load)
    return calls


def test_the_files_are_read_once(tiny_data_dir: Path, downloads: list[bool]) -> None:
    _set_up(data_dir=str(tiny_data_dir)).setup("test")

    assert downloads == [True]


def test_only_the_process_that_prepares_the_data_may_download(
    tiny_data_dir: Path, downloads: list[bool]
) -> None:
    MNISTDataModule(str(tiny_data_dir)).setup("fit")

    assert downloads == [False]


@pytest.mark.parametrize("batch_size", [0, -5])
def test_a_batch_without_images_is_refused(batch_size: int) -> None:
    with pytest.raises(DataError, match=f"--data.batch_size must be 1 or more, not {batch_size}"):
        MNISTDataModule(batch_size=batch_size)


def test_a_validation_set_that_cannot_hold_every_digit_is_refused() -> None:
    with pytest.raises(DataError, match=r"--data.val_size must be 10 or more.* not 9"):
        MNISTDataModule(val_size=9)


@pytest.mark.parametrize(
    "labels",
    [
        pytest.param([label % 10 for label in range(40)], id="too few images"),
        pytest.param([0] * 399 + [1], id="a digit with a single image"),
    ],
)
def test_images_that_cannot_be_split_are_refused_with_their_number(
    labels: list[int], tiny_data: MNISTDataModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = tiny_data.dataset.train.images[: len(labels)]
    dataset = DigitDataset(
        "own digits", Digits(images, torch.tensor(labels)), tiny_data.test, "0" * 64, False
    )
    monkeypatch.setattr(datamodule, "load_dataset", lambda *args, **options: dataset)

    with pytest.raises(DataError, match=f"The {len(labels)} training images of own digits cannot"):
        MNISTDataModule().setup()


def _chosen(size: int | None, seed: int, **options: Any) -> set[int]:
    data = _set_up(source="mnist5k", train_size=size, seed=seed, **options)
    assert len(data.train) == (size or 3500)
    return set(data.train_indices.tolist())


def test_subsets_of_a_seed_are_nested_and_those_of_another_are_others() -> None:
    small, large, whole = (_chosen(size, 1) for size in (100, 1000, 3500))
    assert small < large < whole == _chosen(None, 1)
    assert len(small & _chosen(100, 2)) < 20


def test_a_subset_keeps_the_proportions_and_leaves_out_validation() -> None:
    data = _set_up(source="mnist5k", train_size=100, seed=3)
    counts = torch.bincount(data.train.labels, minlength=10)
    assert counts.tolist() == [10] * 10
    assert not set(data.train_indices.tolist()) & set(data.val_indices.tolist())
    assert len(data.val) == 500


def test_a_subset_smaller_than_a_batch_is_one_batch() -> None:
    data = _set_up(source="mnist5k", train_size=30, batch_size=128, augmentation=Augmentation())
    batches = list(data.train_dataloader())
    assert [len(batch.labels) for batch in batches] == [30]
    expected = _pictures(data.train.images)
    assert sorted(_batches(batches)) == sorted(expected)


@pytest.mark.parametrize(
    ("size", "message"), [(9, "must be 10 or more"), (5000, "must be at most 3500")]
)
def test_train_size_out_of_range_is_refused(size: int, message: str) -> None:
    with pytest.raises(DataError, match=f"--data.train_size {message}"):
        _set_up(source="mnist5k", train_size=size)
