"""Write all files of a trained network: exports, predictions, record, figures and model card."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import nn

from mnist_lightning.data.digits import HeldOutDigits
from mnist_lightning.evaluation.calibration import calibrate
from mnist_lightning.evaluation.inference import predict_logits
from mnist_lightning.evaluation.latency import measure_latency
from mnist_lightning.evaluation.metrics import count_correct, measure, measure_in_detail
from mnist_lightning.evaluation.rejection import fit_rejection
from mnist_lightning.export.formats import export_formats, export_model, installed_formats
from mnist_lightning.export.metadata import TRAINING, ExportSource
from mnist_lightning.export.temperature import calibrated_copy
from mnist_lightning.export.torchscript import ExportedModel
from mnist_lightning.export.trained_model import ERROR_RATE
from mnist_lightning.files.identity import describe_file
from mnist_lightning.files.storage import atomic_path, copy_file
from mnist_lightning.records.artefacts import (
    EVERY,
    EXPORTS,
    PREDICTIONS,
    RECORD,
    WEIGHTS,
    kept_files,
)
from mnist_lightning.records.environment import Environment
from mnist_lightning.records.exported_files import read_exports
from mnist_lightning.records.predictions import (
    Predictions,
    SplitPredictions,
    read_predictions,
    write_predictions,
)
from mnist_lightning.records.record import (
    SCHEMA_VERSION,
    ModelDescription,
    Record,
    read_record,
)
from mnist_lightning.records.training_outcome import Trained
from mnist_lightning.reporting.card import model_card
from mnist_lightning.reporting.confusion import plot_confusion, plot_counts
from mnist_lightning.reporting.curves import plot_curves
from mnist_lightning.reporting.examples import plot_examples
from mnist_lightning.reporting.style import DPI, headline

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Results:
    """The results of a training, as they were written.

    Attributes:
        record: The record.
        previews: Small versions of the figures, for TensorBoard: what a card shows of a page-wide
            figure cannot be read.
        files: All files.
    """

    record: Record
    previews: dict[str, Figure]
    files: list[Path]


def write(
    network: nn.Module,
    trained: Trained,
    digits: HeldOutDigits,
    environment: Environment,
    folder: Path,
    formats: Sequence[str] | None = None,
) -> Results:
    """Calibrate a network, export it, measure the file and write everything that belongs to it.

    Args:
        network: uint8 ``(N, 1, 28, 28)`` to float32 ``(N, 10)``, trained. A copy is calibrated.
        trained: Its description and that of its training.
        digits: The images to evaluate it on.
        environment: The machine and the source, described when the program started.
        folder: Where to write the files. Files of an older run of the same name are replaced, each
            in one step, or deleted after the new record is written.
        formats: Formats besides the measured one, which is TorchScript unless torch cannot write
            it; None for all whose packages are installed.

    Returns:
        The results.

    Raises:
        OSError: A file cannot be written; the older one stays unchanged.
    """
    name = trained.network.name
    log.info("Exporting %s and comparing it with the network on all test images ...", name)
    calibrated, temperature = calibrated_copy(network, digits.validation)
    source = _source(calibrated, temperature, trained, digits, environment)
    exported, model = export_model(source, folder)
    predictions_path = folder / f"{name}{PREDICTIONS}"
    log.info("Measuring the accuracy and the inference time of the exported file ...")
    record, predictions = _measure(exported, model, trained, digits, environment, predictions_path)
    log.info("Drawing the figures ...")
    figures, previews = _figures(record, trained, digits, predictions)
    pictures = [folder / f"{name}_{kind}.png" for kind in figures]
    for path, figure in zip(pictures, figures.values(), strict=True):
        with atomic_path(path) as temporary:
            figure.savefig(temporary, dpi=DPI)
    # After the files that it names, so that they always exist next to a record.
    record_path = folder / f"{name}{RECORD}"
    record.write(record_path)
    kept = [folder / f"{name}{WEIGHTS}", *pictures, predictions_path, record_path]
    _delete_others(folder, name, [folder / model.file.name, *kept])
    others = installed_formats() if formats is None else formats
    more = [one for one in others if one not in ("torchscript", exported.format)]
    if more:
        log.info("Exporting to %s and comparing each file with the network ...", ", ".join(more))
    exports = export_formats(source, [exported.format, *more], folder, exported)
    files = [*(folder / one.file.name for one in exports.files), folder / f"{name}{EXPORTS}"]
    return Results(record, previews, [*files, write_card(folder, name), *kept])


def _measure(
    exported: ExportedModel,
    model: ModelDescription,
    trained: Trained,
    digits: HeldOutDigits,
    environment: Environment,
    predictions_path: Path,
) -> tuple[Record, Predictions]:
    """Evaluate the exported file, and write its predictions, since the record names their hash."""
    test, validation = digits.test, digits.validation
    logits = predict_logits(exported.model, validation.images)
    predictions = Predictions(
        test=SplitPredictions.from_logits(exported.logits, test.labels, torch.arange(len(test))),
        validation=SplitPredictions.from_logits(
            logits, validation.labels, digits.validation_indices
        ),
    )
    write_predictions(predictions_path, predictions)
    record = Record(
        schema_version=SCHEMA_VERSION,
        model=model,
        dataset=trained.dataset,
        training=trained.training,
        validation=measure(logits, validation.labels),
        test=measure_in_detail(exported.logits, test.labels),
        trainer_test=trained.trainer_test,
        export=exported.parity,
        predictions=describe_file(predictions_path),
        latency=measure_latency(exported.model, test.images),
        environment=environment,
    )
    return record, predictions


def _source(
    network: nn.Module,
    temperature: float,
    trained: Trained,
    digits: HeldOutDigits,
    environment: Environment,
) -> ExportSource:
    accuracy = trained.trainer_test.get("accuracy")
    if accuracy is None:
        # No Trainer tests an ensemble, and the TorchScript file contains its accuracy.
        logits = predict_logits(network, digits.test.images)
        accuracy = count_correct(logits, digits.test.labels) / len(digits.test)
    return ExportSource(
        network=network,
        name=TRAINING,
        model=trained.network,
        trained_on=trained.dataset,
        training=trained.training,
        accuracy=accuracy,
        temperature=temperature,
        command=trained.command,
        test=digits.test,
        dataset=trained.dataset.name,
        fingerprint=trained.dataset.fingerprint,
        calibration=digits.validation.images,
        environment=environment,
    )


def _figures(
    record: Record, trained: Trained, digits: HeldOutDigits, predictions: Predictions
) -> tuple[dict[str, Figure], dict[str, Figure]]:
    """Draw the figures by the last part of their file names, and the previews of some of them."""
    labels, probabilities = predictions.test.labels, predictions.test.probabilities
    dataset, title = record.dataset, record.model.title
    tested = headline(title, dataset.label, dataset.test)
    images = digits.test.images[:, 0].numpy()
    figures = {}
    if trained.history is not None:
        smoothing = record.model.hyperparameters.get("label_smoothing")
        figures["training_curves"] = plot_curves(
            trained.history,
            title=headline(title, dataset.label, dataset.train, "training"),
            note=trained.history_note,
            step_losses=trained.step_losses,
            label_smoothing=smoothing if isinstance(smoothing, float) else 0.0,
        )
    matrix = record.test.confusion_matrix
    figures["confusion_matrix"] = plot_confusion(matrix, title=tested)
    figures["examples"] = plot_examples(images, labels, probabilities, title=tested)
    previews = {
        "confusion_matrix": plot_counts(matrix, title=title),
        "examples": plot_examples(images, labels, probabilities, title=title, columns=5, most=10),
    }
    return figures, previews


def write_card(folder: Path, name: str) -> Path:
    """Write the model card ``<name>_card.md`` from the record and the files next to it.

    Args:
        folder: Folder of the record.
        name: Prefix of the files.

    Returns:
        The card's path.

    Raises:
        OutputError: The record is missing, or it, the predictions or the exports are damaged.
    """
    record = read_record(folder / f"{name}{RECORD}")
    exports_path = folder / f"{name}{EXPORTS}"
    exports = read_exports(exports_path) if exports_path.is_file() else None
    predictions_path = folder / record.predictions.name
    calibration = rejection = None
    if predictions_path.is_file():
        found = read_predictions(predictions_path, record.model.preset)
        test, validation = found.test, found.validation
        kept, folded = (validation.probabilities, validation.labels), record.model.temperature
        calibration = calibrate(test.probabilities, test.labels, *kept, folded)
        rejection = fit_rejection(*kept, ERROR_RATE, calibrated=folded is not None)
    path = folder / f"{name}_card.md"
    with atomic_path(path) as temporary:
        text = model_card(record, exports, calibration, rejection)
        temporary.write_text(text, encoding="utf-8")
    return path


def keep_seed(folder: Path, name: str) -> None:
    """Copy the model, its weights, its predictions and its record out of the folder of one seed.

    The copies are named ``seed_<N>_model.pt`` and so on. The record still contains the original
    names of the other files, with their hashes.

    Args:
        folder: Folder of one seed's results, ``<output_dir>/seeds/<name>/seed_<N>``.
        name: Prefix of the files in it.
    """
    # The record comes last: it marks the seed as complete.
    for path in kept_files(folder, name):
        end = path.name.removeprefix(name)
        copy_file(path, folder.with_name(f"{folder.name}{end}"))


def copy_results(folder: Path, output_dir: Path, name: str) -> None:
    """Replace the files of a model in one folder by those in another, the record last."""
    paths = [folder / f"{name}{end}" for end in EVERY]
    copies = {path: output_dir / path.name for path in paths if path.is_file()}
    for path, copy in copies.items():
        copy_file(path, copy)
    _delete_others(output_dir, name, copies.values())


def _delete_others(folder: Path, name: str, kept: Iterable[Path]) -> None:
    """Delete what an older run of the same name wrote and the new one did not."""
    for path in {folder / f"{name}{end}" for end in EVERY}.difference(kept):
        path.unlink(missing_ok=True)
