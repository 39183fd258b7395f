"""The LightningDataModule of every model of the study."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from lightning import LightningDataModule
from torch import Tensor, from_numpy

from mnist_lightning.data.augmentation import Augmentation, distort
from mnist_lightning.data.digits import CLASSES, DigitDataset, Digits, HeldOutDigits, Subset
from mnist_lightning.data.loader import Batch, BatchLoader
from mnist_lightning.data.precomputation import Precomputation, Precompute
from mnist_lightning.data.sources import Source, load_dataset
from mnist_lightning.data.stratification import stratified_split, stratified_subset
from mnist_lightning.errors import DataError

EVALUATION_BATCH_SIZE = 500

log = logging.getLogger(__name__)


class MNISTDataModule(LightningDataModule):
    """Handwritten digits in three parts: training, validation and the official test set.

    Validation images are split from the training images, stratified by digit. The test images are
    used by ``trainer.test`` only. Pixels stay uint8, in the memory of the GPU if there is one.

    Args:
        data_dir: Folder with the IDX files of MNIST (plain or .gz) or Keras' mnist.npz; downloads
            are written there.
        source: `mnist` requires the whole MNIST; `mnist5k` uses the 5,000 images that are installed
            with the program; `auto` uses these if the whole MNIST is not available.
        batch_size: Images per training batch of each process.
        val_size: Images set aside for validation, but at most an eighth of a small training set.
        seed: Seed of the order and augmentation of training images; follows seed_everything.
        augmentation: Ranges of the random distortions of training images; null disables them.
        train_size: Number of labelled training images to use, at least 10: a subset with the
            proportions of the digits, drawn by the seed, a part of every larger one; null uses all.

    Attributes:
        dataset: The whole dataset; like the next four, available after ``setup``.
        train: The training images, without those of validation.
        val: The validation images.
        train_indices: int64, ``(N,)``, positions of ``train`` among the dataset's training images.
        val_indices: int64, ``(M,)``, positions of ``val``.
    """

    dataset: DigitDataset
    train: Subset
    val: Digits
    train_indices: Tensor
    val_indices: Tensor

    def __init__(
        self,
        data_dir: str = "data",
        source: Source = "auto",
        batch_size: int = 128,
        val_size: int = 5000,
        seed: int = 0,
        augmentation: Augmentation | None = None,
        train_size: int | None = None,
    ) -> None:
        super().__init__()
        if batch_size < 1:
            raise DataError(f"--data.batch_size must be 1 or more, not {batch_size}")
        if val_size < 10:
            raise DataError(f"--data.val_size must be 10 or more, one per digit, not {val_size}")
        if train_size is not None and train_size < CLASSES:
            raise DataError(f"--data.train_size must be 10 or more, not {train_size}")
        self.data_dir = Path(data_dir)
        self.source: Source = source
        self.batch_size = batch_size
        self.val_size = val_size
        self.seed = seed
        self.augmentation = augmentation
        self.train_size = train_size
        self._precomputation: Precomputation | None = None
        self._train_loader: BatchLoader | None = None
        self._resume_from: dict[str, int] | None = None

    def precompute_with(self, precompute: Precompute, augmented_passes: int) -> None:
        """Train, validate and test on values that are computed from the images once.

        Args:
            precompute: Called when the loaders are created.
            augmented_passes: Number of distorted copies of the training images; the epochs cycle
                through the originals and the copies.

        Raises:
            DataError: There are copies without ``augmentation``, or the other way round.
        """
        self._precomputation = Precomputation(precompute, augmented_passes, self.augmentation)

    def prepare_data(self) -> None:
        """Download missing files; Lightning calls this in one process per node."""
        self._load(download=True)

    def setup(self, stage: str | None = None) -> None:
        """Load the dataset and split off the validation images."""
        self._load(download=False)

    def _load(self, *, download: bool) -> None:
        if not hasattr(self, "dataset"):
            self.use(load_dataset(self.data_dir, self.source, download=download))

    def use(self, dataset: DigitDataset) -> None:
        """Split a dataset that is in memory already, instead of the one in ``data_dir``.

        Raises:
            DataError: It has too few images for the split or for ``train_size``.
        """
        labels = dataset.train.labels.numpy()
        val_size = min(self.val_size, len(labels) // 8)
        try:
            train, val = stratified_split(labels, val_size)
        except ValueError as error:
            raise DataError(
                f"The {len(labels):,} training images of {dataset.name} cannot be split into "
                "training and validation: at least 80 are needed, and two of each digit"
            ) from error
        # Sorted, so that neighbouring images are read from neighbouring memory.
        train, val = np.sort(train), np.sort(val)
        train = train[self._chosen(labels[train])]
        self.train_indices, self.val_indices = from_numpy(train), from_numpy(val)
        self.train = Subset(dataset.train, self.train_indices)
        self.val = dataset.train[self.val_indices]
        self.dataset = dataset

    def _chosen(self, labels: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        size = len(labels) if self.train_size is None else self.train_size
        if size > len(labels):
            raise DataError(
                f"--data.train_size must be at most {len(labels)}, the training images without "
                f"those of validation, not {size}"
            )
        return stratified_subset(labels, size, self.seed)

    @property
    def test(self) -> Digits:
        """The official test images."""
        return self.dataset.test

    @property
    def held_out(self) -> HeldOutDigits:
        """The validation and test images."""
        return HeldOutDigits(self.test, self.val, self.val_indices)

    def train_dataloader(self) -> BatchLoader:
        """Return shuffled, distorted batches of the training images, or of precomputed values."""
        if self._precomputation is None:
            loader = self._loader([self.train], self.batch_size, self.seed, self.augmentation)
        else:
            passes = self._precomputation.training_passes(self.train[:], self.seed)
            loader = self._loader(passes, self.batch_size, self.seed)
        if self._resume_from is not None:
            loader.load_state_dict(self._resume_from)
            self._resume_from = None
        self._train_loader = loader
        return loader

    def val_dataloader(self) -> BatchLoader:
        """Return batches of the validation images, or of precomputed values, in order."""
        return self._evaluation_loader(self.val, "validation images")

    def test_dataloader(self) -> BatchLoader:
        """Return batches of the test images, or of precomputed values, in the official order."""
        return self._evaluation_loader(self.test, "test images")

    def _evaluation_loader(self, digits: Digits, title: str) -> BatchLoader:
        if self._precomputation is not None:
            digits = self._precomputation.evaluation(digits, title)
        return self._loader([digits], EVALUATION_BATCH_SIZE)

    # Lightning also saves the state of loaders, but restores it only into loaders that are created
    # later, and a learning rate schedule needs the number of steps, hence the loader, earlier. The
    # state of the data module is restored before anything else.
    def state_dict(self) -> dict[str, int]:
        """Return the position in the current training epoch, for the checkpoint."""
        if self._train_loader is None:
            return {}
        state = self._train_loader.state_dict()
        if self.trainer is not None:
            # With limit_train_batches an epoch ends before the loader does.
            state["position"] %= int(self.trainer.num_training_batches)
        return state

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Let the next training start at the position of the checkpoint."""
        self._resume_from = state_dict

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> tuple[Tensor, Tensor]:
        """Distort the training images on their device."""
        if batch.warp is None:
            return batch.images, batch.labels
        return distort(batch.images, batch.warp, batch.look), batch.labels

    def _loader(
        self,
        passes: Sequence[Digits | Subset],
        batch_size: int,
        seed: int | None = None,
        augmentation: Augmentation | None = None,
    ) -> BatchLoader:
        rank, world_size = 0, 1
        if self.trainer is not None:
            # The whole set has 55 MB: it is moved to the device once instead of batch by batch.
            device = self.trainer.strategy.root_device
            passes = [one.to(device) for one in passes]
            rank, world_size = self.trainer.global_rank, self.trainer.world_size
        return BatchLoader(
            passes[0],
            batch_size,
            seed=seed,
            augmentation=augmentation,
            more_passes=passes[1:],
            rank=rank,
            world_size=world_size,
        )
