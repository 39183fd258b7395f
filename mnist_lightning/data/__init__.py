"""Where digits come from, and how they reach the network."""

from mnist_lightning.data.augmentation import Augmentation
from mnist_lightning.data.datamodule import MNISTDataModule
from mnist_lightning.data.digits import DigitDataset, Digits

__all__ = ["Augmentation", "DigitDataset", "Digits", "MNISTDataModule"]
