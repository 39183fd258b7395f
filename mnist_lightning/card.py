"""Bring the model card of a trained model up to date."""

from pathlib import Path

from mnist_lightning.evaluation.calibration import calibrate
from mnist_lightning.evaluation.exports import read_exports
from mnist_lightning.evaluation.predictions import read_predictions
from mnist_lightning.evaluation.record import read_record
from mnist_lightning.evaluation.rejection import fit_rejection
from mnist_lightning.reporting.card import model_card
from mnist_lightning.storage import atomic_path
from mnist_lightning.trained import ERROR_RATE


def write_card(folder: Path, name: str) -> Path:
    """Write ``<name>_card.md`` from what lies beside it.

    Args:
        folder: Folder of the artefacts, with the record.
        name: Prefix of the files.

    Returns:
        The card's path.

    Raises:
        OutputError: The record is missing, or it, the predictions or the exports are damaged.
    """
    record = read_record(folder / f"{name}_metrics.json")
    exports_path = folder / f"{name}_exports.json"
    exports = read_exports(exports_path) if exports_path.is_file() else None
    predictions_path = folder / record.predictions.name
    calibration = rejection = None
    if predictions_path.is_file():
        found = read_predictions(predictions_path, record.model.preset)
        test, validation = found.test, found.validation
        calibration = calibrate(
            test.probabilities, test.labels, validation.probabilities, validation.labels
        )
        rejection = fit_rejection(validation.probabilities, validation.labels, ERROR_RATE)
    path = folder / f"{name}_card.md"
    with atomic_path(path) as temporary:
        text = model_card(record, exports, calibration, rejection)
        temporary.write_text(text, encoding="utf-8")
    return path
