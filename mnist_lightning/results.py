"""What a run leaves once a model is trained: the exported file, its record and its figures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from matplotlib.figure import Figure

from mnist_lightning.card import write_card
from mnist_lightning.evaluation.environment import Environment
from mnist_lightning.evaluation.inference import predict_logits
from mnist_lightning.evaluation.latency import measure_latency
from mnist_lightning.evaluation.metrics import measure, measure_in_detail
from mnist_lightning.evaluation.predictions import (
    Predictions,
    SplitPredictions,
    write_predictions,
)
from mnist_lightning.evaluation.record import SCHEMA_VERSION, Record, describe_file
from mnist_lightning.exportable import TRAINING, Source
from mnist_lightning.exporting import export_formats, installed_formats
from mnist_lightning.formats.metadata import Metadata
from mnist_lightning.formats.torchscript import ExportedModel, export_torchscript
from mnist_lightning.reporting.curves import plot_curves
from mnist_lightning.reporting.style import DPI, headline
from mnist_lightning.reporting.summary import summary
from mnist_lightning.reporting.tested import plot_tested
from mnist_lightning.run_record import (
    count_parameters,
    describe_dataset,
    describe_model,
    describe_training,
)
from mnist_lightning.storage import atomic_path

if TYPE_CHECKING:
    from mnist_lightning.cli import StudyCLI

NEXT_COMMAND = "tensorboard --logdir {runs}"


def describe_run(cli: StudyCLI) -> str:
    """Say in two lines what is going to be trained, on what and how."""
    data, trainer = cli.datamodule, cli.trainer
    parameters = count_parameters(cli.model)
    some = parameters.trainable < parameters.total
    learning = f" ({parameters.trainable:,} of them learn)" if some else ""
    device = trainer.strategy.root_device
    threads = torch.get_num_threads()
    cores = f", {threads} thread{'s'[: threads != 1]}" if device.type == "cpu" else ""
    start = "" if cli.model.weights in cli.model.title else f", from {cli.model.weights}"
    return (
        f"{cli.model.title}, {parameters.total:,} parameters{learning}{start}, on "
        f"{data.dataset.name}: {len(data.train):,} training, {len(data.val):,} validation, "
        f"{len(data.test):,} test images\n{trainer.world_size} x {device.type}{cores}, "
        f"{trainer.precision} ({trainer.precision_reason}), channels_last"
    )


def leave_results(cli: StudyCLI, tested: Mapping[str, float], environment: Environment) -> str:
    """Export the trained model, measure the file and write everything beside it.

    Args:
        cli: The run, trained and tested; its model holds the weights of the best checkpoint.
        tested: What ``Trainer.test`` returned for them.
        environment: The machine and the source, as they were when the run began.

    Returns:
        The summary of the run, for the terminal.

    Raises:
        OSError: A file cannot be written; older ones are left as they were.
    """
    data, name, folder = cli.datamodule, cli.name, cli.output_dir
    model_path = folder / f"{name}_model.pt"
    exported = export_torchscript(
        cli.model.network, model_path, data.test.images, _metadata(cli, tested, environment)
    )
    validation = predict_logits(exported.model, data.val.images)
    predictions_path = folder / f"{name}_predictions.npz"
    predictions = Predictions(
        test=SplitPredictions.from_logits(
            exported.logits, data.test.labels, torch.arange(len(data.test))
        ),
        validation=SplitPredictions.from_logits(validation, data.val.labels, data.val_indices),
    )
    write_predictions(predictions_path, predictions)
    record = Record(
        schema_version=SCHEMA_VERSION,
        model=describe_model(cli, model_path),
        dataset=describe_dataset(cli),
        training=describe_training(cli),
        validation=measure(validation, data.val.labels),
        test=measure_in_detail(exported.logits, data.test.labels),
        trainer_test={key.removeprefix("test/"): value for key, value in tested.items()},
        export=exported.parity,
        predictions=describe_file(predictions_path),
        latency=measure_latency(exported.model, data.test.images),
        environment=environment,
    )
    figures = _figures(cli, record, predictions.test)
    for kind, figure in figures.items():
        with atomic_path(folder / f"{name}_{kind}.png") as path:
            figure.savefig(path, dpi=DPI)
    # Last, so that a record always has everything it speaks of beside it.
    record_path = folder / f"{name}_metrics.json"
    record.write(record_path)
    _log_to_tensorboard(cli, record, figures)
    pictures = [folder / f"{name}_{kind}.png" for kind in figures]
    others = _export_others(cli, record, exported, environment)
    files = [model_path, *others, record_path, predictions_path, *pictures]
    return summary(record, files, NEXT_COMMAND.format(runs=folder / "runs"))


def _metadata(cli: StudyCLI, tested: Mapping[str, float], here: Environment) -> Metadata:
    """What the TorchScript file says of itself; the accuracy is that of the best checkpoint."""
    return Metadata(
        title=cli.model.title,
        dataset=cli.datamodule.dataset.name,
        test_accuracy=tested["test/accuracy"],
        test_images=len(cli.datamodule.test),
        trained_commit=cli.history.commit,
        exported_commit=here.commit,
        dirty=here.dirty,
        command=_command(cli),
    )


def _command(cli: StudyCLI) -> str:
    return " ".join(["python scripts/train.py", *cli.command])


def _export_others(
    cli: StudyCLI, record: Record, exported: ExportedModel, environment: Environment
) -> list[Path]:
    """Write the formats beside TorchScript, and the model card, which speaks of all of them."""
    data, folder = cli.datamodule, cli.output_dir
    others = cli.config.export_formats
    source = Source(
        network=cli.model.network,
        name=TRAINING,
        record=record,
        test=data.test,
        dataset=data.dataset.name,
        fingerprint=data.dataset.fingerprint,
        calibration=data.val.images,
        environment=environment,
        command=_command(cli),
    )
    formats = installed_formats() if others is None else ["torchscript", *others]
    exports = export_formats(source, formats, folder, exported)
    written = [folder / one.file.name for one in exports.files[1:]]
    return [*written, folder / f"{cli.name}_exports.json", write_card(folder, cli.name)]


def _figures(cli: StudyCLI, record: Record, test: SplitPredictions) -> dict[str, Figure]:
    """The figures of a run by the last part of their file names."""
    dataset, best_epoch = record.dataset, record.training.best_epoch
    assert best_epoch is not None, "this is no ensemble"
    curves = plot_curves(
        cli.history.table,
        title=headline(record.model.title, dataset.label, dataset.train, "training"),
        best_epoch=best_epoch,
        note=_how_measured(cli),
    )
    tested = plot_tested(record, cli.datamodule.test.images[:, 0].numpy(), test)
    return {"training_curves": curves, **tested}


def _how_measured(cli: StudyCLI) -> str:
    """Why training and validation are not quite the same measurement."""
    augmented = cli.datamodule.augmentation is not None
    averaged = cli.config.ema.decay > 0
    return (
        f"training: {'distorted' if augmented else 'clean'} images, while the weights move; "
        f"validation: clean images, {'averaged weights' if averaged else 'weights of the epoch'}"
    )


def _log_to_tensorboard(cli: StudyCLI, record: Record, figures: dict[str, Figure]) -> None:
    logger = cli.run_logger
    for kind in ("confusion_matrix", "examples"):
        logger.experiment.add_figure(kind, figures[kind], global_step=record.training.steps)
    settings = {
        **record.model.hyperparameters,
        "seed": record.training.seed,
        "batch_size": cli.datamodule.batch_size,
        "epochs": record.training.epochs,
        "parameters": record.model.parameters.total,
    }
    final = {"hp/test_accuracy": record.test.accuracy, "hp/test_loss": record.test.loss}
    logger.log_hyperparams(settings, final)
    logger.experiment.close()
