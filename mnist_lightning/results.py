"""From a trained network to all files that belong to it: exports, predictions, record, figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import nn

from mnist_lightning.data.digits import HeldOutDigits
from mnist_lightning.evaluation.calibration import calibrate
from mnist_lightning.evaluation.inference import predict_logits
from mnist_lightning.evaluation.latency import measure_latency
from mnist_lightning.evaluation.metrics import measure, measure_in_detail
from mnist_lightning.evaluation.rejection import fit_rejection
from mnist_lightning.export.formats import export_formats, installed_formats
from mnist_lightning.export.metadata import TRAINING, Metadata, Source
from mnist_lightning.export.torchscript import ExportedModel, export_torchscript
from mnist_lightning.export.trained_model import ERROR_RATE
from mnist_lightning.files.identity import describe_file
from mnist_lightning.files.storage import atomic_path, copy_file
from mnist_lightning.records.artefacts import COMPLETE
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
    Trained,
    read_record,
)
from mnist_lightning.reporting.card import model_card
from mnist_lightning.reporting.confusion import plot_confusion
from mnist_lightning.reporting.curves import plot_curves
from mnist_lightning.reporting.examples import plot_examples
from mnist_lightning.reporting.style import DPI, headline


@dataclass(frozen=True, eq=False)
class Results:
    """What was written.

    Attributes:
        record: The record.
        figures: The figures by the last part of their file names, e.g. ``confusion_matrix``.
        files: All files.
    """

    record: Record
    figures: dict[str, Figure]
    files: list[Path]


def write(
    network: nn.Module,
    trained: Trained,
    digits: HeldOutDigits,
    environment: Environment,
    folder: Path,
    formats: Sequence[str] | None = None,
) -> Results:
    """Export a network, measure the exported file and write everything that belongs to it.

    Args:
        network: uint8 ``(N, 1, 28, 28)`` to float32 ``(N, 10)``, trained.
        trained: What was trained and how.
        digits: The images to measure it on.
        environment: The machine and the source, as they were when the program began.
        folder: Where to; older files of the same name are replaced, each in one step.
        formats: Formats beside TorchScript; None writes those whose packages are installed.

    Returns:
        What was written.

    Raises:
        OSError: A file cannot be written; older ones are left as they were.
    """
    name = trained.network.name
    model_path = folder / f"{name}_model.pt"
    metadata = _metadata(network, trained, digits, environment)
    exported = export_torchscript(network, model_path, digits.test.images, metadata)
    predictions_path = folder / f"{name}_predictions.npz"
    record, predictions = _measure(
        exported, trained, digits, environment, model_path, predictions_path
    )
    figures = _figures(record, trained, digits, predictions.test)
    pictures = [folder / f"{name}_{kind}.png" for kind in figures]
    for path, figure in zip(pictures, figures.values(), strict=True):
        with atomic_path(path) as temporary:
            figure.savefig(temporary, dpi=DPI)
    # After the files that it names, so that a record always has them beside it.
    record_path = folder / f"{name}_metrics.json"
    record.write(record_path)
    source = Source(
        network=network,
        name=TRAINING,
        record=record,
        test=digits.test,
        dataset=trained.dataset.name,
        fingerprint=trained.dataset.fingerprint,
        calibration=digits.validation.images,
        environment=environment,
        command=trained.command,
    )
    others = installed_formats() if formats is None else ["torchscript", *formats]
    exports = export_formats(source, others, folder, exported)
    files = [
        *(folder / one.file.name for one in exports.files),
        folder / f"{name}_exports.json",
        write_card(folder, name),
        *(record_path, predictions_path, *pictures),
    ]
    return Results(record, figures, files)


def _measure(
    exported: ExportedModel,
    trained: Trained,
    digits: HeldOutDigits,
    environment: Environment,
    model_path: Path,
    predictions_path: Path,
) -> tuple[Record, Predictions]:
    """Measure the exported file, and write its predictions, whose hash the record has."""
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
        model=ModelDescription(**vars(trained.network), file=describe_file(model_path)),
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


def _metadata(
    network: nn.Module, trained: Trained, digits: HeldOutDigits, environment: Environment
) -> Metadata:
    """What the TorchScript file says about itself, which has to be known before it is written."""
    accuracy = trained.trainer_test.get("accuracy")
    if accuracy is None:
        # No Trainer has tested an ensemble.
        predicted = predict_logits(network.eval(), digits.test.images).argmax(dim=1)
        accuracy = float((predicted == digits.test.labels).double().mean())
    return Metadata(
        title=trained.network.title,
        dataset=trained.dataset.name,
        test_accuracy=accuracy,
        test_images=len(digits.test),
        trained_commit=trained.training.commit,
        exported_commit=environment.commit,
        dirty=environment.dirty,
        command=trained.command,
    )


def _figures(
    record: Record, trained: Trained, digits: HeldOutDigits, test: SplitPredictions
) -> dict[str, Figure]:
    dataset, title = record.dataset, record.model.title
    tested = headline(title, dataset.label, dataset.test)
    images = digits.test.images[:, 0].numpy()
    figures = {}
    if trained.history is not None:
        assert record.training.best_epoch is not None, "an ensemble has no history"
        figures["training_curves"] = plot_curves(
            trained.history,
            title=headline(title, dataset.label, dataset.train, "training"),
            best_epoch=record.training.best_epoch,
            note=trained.history_note,
        )
    figures["confusion_matrix"] = plot_confusion(record.test.confusion_matrix, title=tested)
    figures["examples"] = plot_examples(images, test.labels, test.probabilities, title=tested)
    return figures


def write_card(folder: Path, name: str) -> Path:
    """Write the model card ``<name>_card.md`` from the record and the files beside it.

    Args:
        folder: Folder of the record.
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


def keep_seed(folder: Path, name: str) -> None:
    """Keep the model, the predictions and the record of one seed beside the seed's folder.

    They are named ``seed_<N>_model.pt`` and so on. The record keeps the names that the training
    gave to the other two, and their hashes.

    Args:
        folder: Folder of one seed's results, ``<output_dir>/seeds/<name>/seed_<N>``.
        name: Prefix of the files in it.
    """
    # The record comes last: it tells that the seed is complete.
    for end in COMPLETE:
        copy_file(folder / f"{name}{end}", folder.with_name(f"{folder.name}{end}"))


def copy_results(folder: Path, output_dir: Path, name: str) -> None:
    """Copy all files of a model to another folder, the record last."""
    for path in sorted(
        folder.glob(f"{name}_*.*"), key=lambda path: path.name.endswith(COMPLETE[-1])
    ):
        copy_file(path, output_dir / path.name)
