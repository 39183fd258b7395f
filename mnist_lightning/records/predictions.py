"""The predictions behind a record, one row per image, in ``<name>_predictions.npz``."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from mnist_lightning.data.digits import CLASSES
from mnist_lightning.errors import OutputError
from mnist_lightning.files.archives import refuse_bomb
from mnist_lightning.files.storage import atomic_path
from mnist_lightning.records.artefacts import PREDICTIONS
from mnist_lightning.records.record import making_command

# Ten times what all 70,000 images of MNIST would need; no larger archive is of this project.
MAX_UNPACKED_BYTES = 50_000_000
SPLITS = ("test", "validation")


@dataclass(frozen=True, eq=False)
class SplitPredictions:
    """Predictions for one split of the dataset.

    Attributes:
        probabilities: float32, ``(N, 10)``, each 0 to 1, rows sum to 1.
        labels: int64, ``(N,)``, each 0 to 9.
        indices: int64, ``(N,)``, distinct and at least 0: the image's position among the dataset's
            test images or, for validation, among its training images.
    """

    probabilities: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]
    indices: npt.NDArray[np.int64]

    @classmethod
    def from_logits(cls, logits: Tensor, labels: Tensor, indices: Tensor) -> "SplitPredictions":
        """Convert a network's output.

        Args:
            logits: float32, ``(N, 10)``, on the CPU.
            labels: int64, ``(N,)``, on the CPU.
            indices: int64, ``(N,)``, on the CPU.

        Returns:
            The predictions; the probabilities are the softmax of the logits.
        """
        return cls(logits.softmax(dim=1).numpy(), labels.numpy(), indices.numpy())


@dataclass(frozen=True, eq=False)
class Predictions:
    """Predictions of one exported model.

    Attributes:
        test: For all test images, in the dataset's order.
        validation: For all validation images, e.g. to fit a temperature on.
    """

    test: SplitPredictions
    validation: SplitPredictions


def write_predictions(path: Path, predictions: Predictions) -> None:
    """Write predictions to a compressed ``.npz``, which is replaced in one step.

    Args:
        path: Where to write them; the name ends with ``.npz``.
        predictions: The predictions. The file's keys are ``test_probabilities``, ``test_labels``,
            ``test_indices``, ``validation_probabilities``, ``validation_labels`` and
            ``validation_indices``.

    Raises:
        OSError: The file cannot be written; the old one stays unchanged.
    """
    arrays = {
        f"{split}_{name}": array
        for split in SPLITS
        for name, array in vars(getattr(predictions, split)).items()
    }
    with atomic_path(path) as temporary:
        np.savez_compressed(temporary, **arrays)


def read_predictions(path: Path, preset: str = "NAME") -> Predictions:
    """Read predictions and check them. No code in the file is run.

    Args:
        path: A file written by :func:`write_predictions`.
        preset: The value of ``--model`` that produces the file again, for messages.

    Returns:
        The predictions.

    Raises:
        OutputError: The file is missing, damaged, or an array in it is missing or has another
            shape, dtype or range. The message names the command that makes it.
    """
    refuse_bomb(path, ratio=0, always_allowed=MAX_UNPACKED_BYTES, error=OutputError)
    remedy = f"make them with `{making_command(path.name.removesuffix(PREDICTIONS), preset)}`"
    try:
        test, validation = (_read_split(path, split) for split in SPLITS)
    except FileNotFoundError:
        raise OutputError(f"There are no predictions {path}: {remedy}.") from None
    except OSError as error:
        raise OutputError(
            f"{path} cannot be read ({error.strerror or error}): fix that, or {remedy} again."
        ) from None
    # All other errors of zipfile, zlib and numpy's header parser mean a damaged file.
    except Exception as error:
        raise OutputError(f"{path} is not valid: {error}; {remedy} again.") from None
    return Predictions(test, validation)


def _read_split(path: Path, split: str) -> SplitPredictions:
    # numpy does not close a damaged file that it has opened itself.
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        labels = arrays[f"{split}_labels"]
        n = len(labels) if labels.ndim else 0
        probabilities = _array(arrays, f"{split}_probabilities", "float32", (n, CLASSES))
        labels = _array(arrays, f"{split}_labels", "int64", (n,))
        indices = _array(arrays, f"{split}_indices", "int64", (n,))
    # "not all" instead of "any outside": NaN compares false with everything.
    if not np.all((probabilities >= 0) & (probabilities <= 1)):
        raise ValueError(f"{split}_probabilities are not all within 0 and 1")
    if not np.allclose(probabilities.sum(axis=1), 1, rtol=0, atol=1e-4):
        raise ValueError(f"{split}_probabilities have rows that do not sum to 1")
    if labels.min() < 0 or labels.max() >= CLASSES:
        raise ValueError(f"{split}_labels are not all within 0 and {CLASSES - 1}")
    if indices.min() < 0 or len(np.unique(indices)) != n:
        raise ValueError(f"{split}_indices are not distinct positions")
    return SplitPredictions(probabilities, labels, indices)


def _array(
    arrays: Mapping[str, npt.NDArray[Any]], key: str, dtype: str, shape: tuple[int, ...]
) -> npt.NDArray[Any]:
    array = arrays[key]
    if array.dtype != dtype or array.shape != shape or array.size == 0:
        raise ValueError(f"{key} is {array.dtype} {array.shape} instead of {dtype} {shape}")
    return array
