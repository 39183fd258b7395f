"""A trained model as its users meet it: a name, calibrated probabilities, and "I don't know"."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from mnist_lightning.errors import OutputError
from mnist_lightning.evaluation.calibration import scale
from mnist_lightning.evaluation.inference import predict_logits
from mnist_lightning.evaluation.rejection import Rejection, fit_rejection
from mnist_lightning.export.loading import load_network
from mnist_lightning.records.artefacts import MODEL_SUFFIX
from mnist_lightning.records.predictions import read_predictions
from mnist_lightning.records.record import Record, read_record

#: The share of errors among answered images that the threshold allows, on validation images.
ERROR_RATE = 0.001


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """A network that was trained, ready to read digits.

    Attributes:
        name: Prefix of its files, e.g. ``custom_cnn``; the file's stem where it has no record.
        title: Its name for people, e.g. ``Custom CNN``.
        path: Its file.
        network: uint8 ``(N, 1, 28, 28)`` to float32 logits ``(N, 10)``, on the CPU, in eval mode.
        rejection: How its confidence is calibrated and when it gives no answer; None where there
            are no validation predictions beside the file.
    """

    name: str
    title: str
    path: Path
    network: nn.Module
    rejection: Rejection | None

    def probabilities(self, images: Tensor) -> npt.NDArray[np.float64]:
        """Read digits.

        Args:
            images: uint8 ``(N, 1, 28, 28)``, 0 is background and 255 is ink.

        Returns:
            float64 ``(N, 10)``, rows sum to 1, calibrated if the model can be.
        """
        raw = predict_logits(self.network, images).softmax(dim=1).numpy()
        return scale(raw, self.rejection.temperature if self.rejection else 1.0)

    def answers(self, probabilities: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        """Tell which images the model is sure enough of, ``(N,)``; all where it has no rule."""
        threshold = self.rejection.threshold if self.rejection else 0.0
        sure: npt.NDArray[np.bool_] = probabilities.max(axis=1) >= threshold
        return sure


def load_trained(path: Path, error_rate: float = ERROR_RATE) -> TrainedModel:
    """Load a model file, with what its training left beside it.

    Args:
        path: The file; its record and its predictions are found by its name where they are there.
        error_rate: Largest share of errors among answered validation images, 0 to 1.

    Returns:
        The model.

    Raises:
        OutputError: The file, its record or its predictions are damaged, or it is a network that
            does not read digits.
    """
    network = load_network(path)
    _try_on_blank_image(network, path)
    name = path.stem.removesuffix(MODEL_SUFFIX)
    record = _record_beside(path, name)
    if record is None:
        return TrainedModel(name, name, path, network, None)
    predictions_path = path.with_name(record.predictions.name)
    rejection = None
    if predictions_path.is_file():
        validation = read_predictions(predictions_path, record.model.preset).validation
        rejection = fit_rejection(validation.probabilities, validation.labels, error_rate)
    return TrainedModel(record.model.name, record.model.title, path, network, rejection)


def _try_on_blank_image(network: nn.Module, path: Path) -> None:
    try:
        predict_logits(network, torch.zeros(1, 1, 28, 28, dtype=torch.uint8))
    except Exception as error:  # somebody else's network may raise anything
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise OutputError(
            f"{path} does not read an image of a digit ({reason:.120}): name a model that "
            "scripts/train.py has made."
        ) from error


def _record_beside(path: Path, name: str) -> Record | None:
    record_path = path.with_name(f"{name}_metrics.json")
    return read_record(record_path) if record_path.is_file() else None
