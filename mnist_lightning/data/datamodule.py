"""The one data module that feeds every model of the study."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from lightning import LightningDataModule
from sklearn.model_selection import train_test_split
from torch import Tensor, from_numpy

from mnist_lightning.data.augmentation import Augmentation, apply_warp
from mnist_lightning.data.digits import DigitDataset, Digits, HeldOutDigits, Subset
from mnist_lightning.data.loader import Batch, BatchLoader
from mnist_lightning.data.precomputation import Precomputation, Precompute
from mnist_lightning.data.sources import Source, load_dataset
from mnist_lightning.errors import DataError

# The validation images are the same for every seed and every model, so that all of them are
# selected on, and compared over, the same pictures.
SPLIT_SEED = 0
EVALUATION_BATCH_SIZE = 500

log = logging.getLogger(__name__)


class MNISTDataModule(LightningDataModule):
    """Handwritten digits in three parts: training, validation and the official test set.

    Validation images are taken from the training images, stratified by digit; the test images are
    for ``trainer.test`` alone. Pixels stay uint8 in memory, on the GPU when there is one.

    Args:
        data_dir: Folder with IDX files (as torchvision or the MNIST page name them, or as .gz) or
            Keras' mnist.npz; a download is put there.
        source: `mnist` insists on the whole set, `mnist5k` takes the 5,000 images that are
            installed with the program, `auto` takes these where nothing else can be had.
        batch_size: Images in a training batch of each process.
        val_size: Images set aside for validation, but at most an eighth of a small training set.
        seed: Decides order and augmentation of the training images; follows seed_everything.
        augmentation: Ranges of the random distortions of training images; null for none.
    """

    def __init__(
        self,
        data_dir: str = "data",
        source: Source = "auto",
        batch_size: int = 128,
        val_size: int = 5000,
        seed: int = 0,
        augmentation: Augmentation | None = None,
    ) -> None:
        super().__init__()
        if batch_size < 1:
            raise DataError(f"--data.batch_size must be 1 or more, not {batch_size}")
        if val_size < 10:
            raise DataError(f"--data.val_size must be 10 or more, one a digit, not {val_size}")
        self.data_dir = Path(data_dir)
        self.source: Source = source
        self.batch_size = batch_size
        self.val_size = val_size
        self.seed = seed
        self.augmentation = augmentation
        self._dataset: DigitDataset | None = None
        self._precomputation: Precomputation | None = None
        self._train_loader: BatchLoader | None = None
        self._resume_from: dict[str, int] | None = None

    def precompute_with(self, precompute: Precompute, augmented_passes: int) -> None:
        """Train, validate and test on what a function makes of the images, once.

        Args:
            precompute: Called when training begins.
            augmented_passes: Number of distorted copies of the training images to use in turns
                with these, one an epoch.

        Raises:
            DataError: The number does not go together with ``augmentation``.
        """
        self._precomputation = Precomputation(precompute, augmented_passes, self.augmentation)

    def prepare_data(self) -> None:
        """Download what is missing; Lightning calls this in one process only."""
        self._load(download=True)

    def setup(self, stage: str | None = None) -> None:
        """Load the dataset and set the validation images aside."""
        self._load(download=False)

    def _load(self, *, download: bool) -> None:
        if self._dataset is not None:
            return
        dataset = load_dataset(self.data_dir, self.source, download=download)
        labels = dataset.train.labels.numpy()
        val_size = min(self.val_size, len(labels) // 8)
        try:
            train, val = train_test_split(
                np.arange(len(labels)), test_size=val_size, stratify=labels, random_state=SPLIT_SEED
            )
        except ValueError as error:
            raise DataError(
                f"The {len(labels):,} training images of {dataset.name} cannot be split into "
                "training and validation: at least 80 are needed, and two of each digit"
            ) from error
        # Sorted, so that neighbouring images are read from neighbouring memory.
        self.train_indices: Tensor = from_numpy(np.sort(train))
        self.val_indices: Tensor = from_numpy(np.sort(val))
        self._train = Subset(dataset.train, self.train_indices)
        self._val = dataset.train[self.val_indices]
        self._dataset = dataset

    @property
    def dataset(self) -> DigitDataset:
        """The whole dataset, once ``setup`` has been called."""
        assert self._dataset is not None, "call setup() first"
        return self._dataset

    @property
    def train(self) -> Subset:
        """The training images, without those of validation."""
        assert self._dataset is not None, "call setup() first"
        return self._train

    @property
    def val(self) -> Digits:
        """The validation images."""
        assert self._dataset is not None, "call setup() first"
        return self._val

    @property
    def test(self) -> Digits:
        """The official test images."""
        return self.dataset.test

    @property
    def held_out(self) -> HeldOutDigits:
        """The images that are not trained on."""
        return HeldOutDigits(self.test, self.val, self.val_indices)

    def train_dataloader(self) -> BatchLoader:
        """Shuffled, distorted batches of the training images, or of what is precomputed."""
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
        """Batches of the validation images, in order, or of what is precomputed."""
        return self._evaluation_loader(self.val, "validation images")

    def test_dataloader(self) -> BatchLoader:
        """Batches of the test images, in the official order, or of what is precomputed."""
        return self._evaluation_loader(self.test, "test images")

    def _evaluation_loader(self, digits: Digits, title: str) -> BatchLoader:
        if self._precomputation is not None:
            digits = self._precomputation.evaluation(digits, title)
        return self._loader([digits], EVALUATION_BATCH_SIZE)

    # Lightning keeps the state of a loader too, but restores it only if the loader is made after
    # that; a schedule of the learning rate asks for the number of steps, hence for the loader,
    # before. The state of the data module is restored first of all.
    def state_dict(self) -> dict[str, int]:
        """Return how far the epoch of training has come, for the checkpoint."""
        if self._train_loader is None:
            return {}
        state = self._train_loader.state_dict()
        if self.trainer is not None:
            # With limit_train_batches an epoch ends before the loader does.
            state["position"] %= int(self.trainer.num_training_batches)
        return state

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Let the next training begin where the checkpoint was written."""
        self._resume_from = state_dict

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> tuple[Tensor, Tensor]:
        """Distort the training images where they are going to be used."""
        images = batch.images if batch.warp is None else apply_warp(batch.images, batch.warp)
        return images, batch.labels

    def _loader(
        self,
        passes: Sequence[Digits | Subset],
        batch_size: int,
        seed: int | None = None,
        augmentation: Augmentation | None = None,
    ) -> BatchLoader:
        rank, world_size = 0, 1
        if self.trainer is not None:
            # The whole set takes 55 MB: it moves to the device once, not batch by batch.
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
