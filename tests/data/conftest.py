import struct
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

Arrays = dict[str, NDArray[np.uint8]]
ToIdx = Callable[[NDArray[np.uint8]], bytes]


@pytest.fixture(scope="session")
def to_idx() -> ToIdx:
    """Encode an IDX file, independently of the reader."""

    def encode(values: NDArray[np.uint8]) -> bytes:
        sizes = struct.pack(f">{values.ndim}I", *values.shape)
        return bytes([0, 0, 8, values.ndim]) + sizes + values.tobytes()

    return encode


@pytest.fixture(scope="session")
def arrays() -> Arrays:
    """Twelve training and ten test images of noise, with the keys of Keras' mnist.npz."""
    rng = np.random.default_rng(0)
    return {
        "x_train": rng.integers(0, 256, (12, 28, 28), dtype=np.uint8),
        "y_train": np.arange(12, dtype=np.uint8) % 10,
        "x_test": rng.integers(0, 256, (10, 28, 28), dtype=np.uint8),
        "y_test": np.arange(10, dtype=np.uint8),
    }


@pytest.fixture(scope="session")
def idx_files(arrays: Arrays, to_idx: ToIdx) -> dict[str, bytes]:
    """The four files of MNIST by name, with the tiny arrays as their content."""
    return {
        "train-images-idx3-ubyte": to_idx(arrays["x_train"]),
        "train-labels-idx1-ubyte": to_idx(arrays["y_train"]),
        "t10k-images-idx3-ubyte": to_idx(arrays["x_test"]),
        "t10k-labels-idx1-ubyte": to_idx(arrays["y_test"]),
    }
