"""The hashes of the standard MNIST, and how a dataset differs from it."""

import hashlib
import struct
from dataclasses import dataclass

import torch
from torch import Tensor

from mnist_lightning.data.digits import DigitDataset, Digits


@dataclass(frozen=True)
class StandardFile:
    """One of the four files of MNIST.

    Attributes:
        name: Its name, uncompressed; the compressed one has ``.gz`` appended.
        sha256: SHA-256 of the uncompressed file.
        gz_sha256: SHA-256 of the compressed file, as distributed since 1998.
        gz_bytes: Size of the compressed file.
    """

    name: str
    sha256: str
    gz_sha256: str
    gz_bytes: int


TRAIN_IMAGES = StandardFile(
    "train-images-idx3-ubyte",
    "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    9_912_422,
)
TRAIN_LABELS = StandardFile(
    "train-labels-idx1-ubyte",
    "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    28_881,
)
TEST_IMAGES = StandardFile(
    "t10k-images-idx3-ubyte",
    "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    1_648_877,
)
TEST_LABELS = StandardFile(
    "t10k-labels-idx1-ubyte",
    "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    4_542,
)
FILES = (TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS)

FINGERPRINT = "06b0d1f124c4e5fa796686ade41a9b778edacc8622f2195a352ef479ad44fc16"
"""``fingerprint`` of the standard MNIST."""


def fingerprint(train: Digits, test: Digits) -> str:
    """Return the SHA-256 of a dataset's content, which is the same for every file format.

    It covers the pixels of the training images, their labels as bytes, the pixels of the test
    images and their labels, in this order.
    """
    digest = hashlib.sha256()
    for values in _as_bytes(train, test):
        digest.update(values.numpy().data)
    return digest.hexdigest()


def identify(train: Digits, test: Digits, *, custom_name: str) -> DigitDataset:
    """Build a dataset, and recognise the standard MNIST by its content.

    Args:
        train: The training images.
        test: The test images.
        custom_name: Name of the dataset if it is not the standard MNIST.
    """
    identity = fingerprint(train, test)
    is_standard = identity == FINGERPRINT
    return DigitDataset(
        name="MNIST" if is_standard else custom_name,
        train=train,
        test=test,
        fingerprint=identity,
        is_standard=is_standard,
    )


def difference(dataset: DigitDataset) -> str:
    """Describe briefly how a dataset differs from the standard MNIST."""
    sizes = len(dataset.train), len(dataset.test)
    if sizes != (60_000, 10_000):
        return f"it has {sizes[0]:,} training and {sizes[1]:,} test images, not 60,000 and 10,000"
    parts = zip(FILES, _as_bytes(dataset.train, dataset.test), strict=True)
    names = [file.name for file, part in parts if _idx_sha256(part) != file.sha256]
    return f"its content differs in {', '.join(names)}"


def _as_bytes(train: Digits, test: Digits) -> list[Tensor]:
    """Return the content of the four IDX files, in the order of ``FILES``."""
    return [
        part
        for digits in (train, test)
        for part in (digits.images.squeeze(1), digits.labels.to(torch.uint8))
    ]


def _idx_sha256(values: Tensor) -> str:
    header = struct.pack(f">{1 + values.ndim}I", 0x0800 | values.ndim, *values.shape)
    digest = hashlib.sha256(header)
    digest.update(values.numpy().data)
    return digest.hexdigest()
