"""A trained model for predictions: its network, calibration and rejection rule."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from mnist_lightning.data.digits import SIDE
from mnist_lightning.errors import OutputError, reason_of
from mnist_lightning.evaluation.calibration import scale
from mnist_lightning.evaluation.inference import predict_logits
from mnist_lightning.evaluation.rejection import Rejection, fit_rejection
from mnist_lightning.export.loading import load_network
from mnist_lightning.export.metadata import NOT_CALIBRATED, read_entries
from mnist_lightning.records.artefacts import MODEL_SUFFIX, RECORD
from mnist_lightning.records.predictions import read_predictions
from mnist_lightning.records.record import read_record

#: The only files that contain a network as it was trained, without its temperature.
CHECKPOINT = ".ckpt"
#: Largest share of errors among the answered validation images.
ERROR_RATE = 0.001


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """A trained network with its rejection rule.

    Attributes:
        name: Prefix of its files, e.g. ``custom_cnn``; the file's stem if there is no record.
        title: Its display name, e.g. ``Custom CNN``.
        path: Its file.
        network: uint8 ``(N, 1, 28, 28)`` to float32 logits ``(N, 10)``, on the CPU, in eval mode.
        rejection: Its threshold, and the temperature of a file that is not calibrated; None without
            validation predictions next to the file.
        calibrated: Whether ``probabilities`` are calibrated.
    """

    name: str
    title: str
    path: Path
    network: nn.Module
    rejection: Rejection | None
    calibrated: bool

    def probabilities(self, images: Tensor) -> npt.NDArray[np.float64]:
        """Predict digits.

        Args:
            images: uint8 ``(N, 1, 28, 28)``, 0 is background and 255 is ink.

        Returns:
            float64 ``(N, 10)``, rows sum to 1.
        """
        raw = predict_logits(self.network, images).softmax(dim=1).numpy()
        return scale(raw, self.rejection.temperature if self.rejection else 1.0)

    def answers(self, probabilities: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        """Return which images the rule answers, bool ``(N,)``; all of them without a rule."""
        threshold = self.rejection.threshold if self.rejection else 0.0
        sure: npt.NDArray[np.bool_] = probabilities.max(axis=1) >= threshold
        return sure


def load_trained(path: Path, error_rate: float = ERROR_RATE) -> TrainedModel:
    """Load a model file with the record and the predictions next to it.

    Args:
        path: The file. Its record and its predictions are found by its name, if they exist.
        error_rate: Largest share of errors among answered validation images, 0 to 1.

    Returns:
        The model.

    Raises:
        OutputError: The file, its record or its predictions are damaged, or its network does not
            classify digits.
    """
    network = load_network(path)
    _try_on_blank_image(network, path)
    name = path.stem.removesuffix(MODEL_SUFFIX)
    record_path = path.with_name(f"{name}{RECORD}")
    if not record_path.is_file():
        stated = read_entries(path).get("temperature", NOT_CALIBRATED)
        return TrainedModel(name, name, path, network, None, stated != NOT_CALIBRATED)
    record = read_record(record_path)
    described, temperature = record.model, record.model.temperature
    predictions_path = path.with_name(record.predictions.name)
    rejection, calibrated = None, temperature is not None and path.suffix != CHECKPOINT
    if predictions_path.is_file():
        kept = read_predictions(predictions_path, described.preset).validation
        rejection = fit_rejection(
            kept.probabilities, kept.labels, error_rate, calibrated=temperature is not None
        )
        if temperature is not None and not calibrated:
            rejection = replace(rejection, temperature=temperature)
        calibrated = True
    return TrainedModel(described.name, described.title, path, network, rejection, calibrated)


def _try_on_blank_image(network: nn.Module, path: Path) -> None:
    try:
        predict_logits(network, torch.zeros(1, 1, SIDE, SIDE, dtype=torch.uint8))
    except Exception as error:  # a foreign network may raise anything
        raise OutputError(
            f"{path} does not classify images of digits ({reason_of(error):.120}): name a model "
            "that scripts/train.py has made."
        ) from error


def names_of(models: Sequence[TrainedModel]) -> list[str]:
    """Return the models' names, or their paths if two models share a name."""
    names = [model.name for model in models]
    return names if len(set(names)) == len(names) else [str(model.path) for model in models]
