"""One training of the study: fit, test the weights after the last step once, write the results."""

import logging
import shlex
from collections.abc import Mapping

from mnist_lightning.cli import StudyCLI
from mnist_lightning.errors import UserError
from mnist_lightning.export.formats import measured_format
from mnist_lightning.files.storage import check_writable, one_writer, remove_abandoned
from mnist_lightning.records.environment import Environment, describe_environment
from mnist_lightning.records.training_outcome import Trained
from mnist_lightning.training import run_description


def train(cli: StudyCLI) -> None:
    """Train, test the weights after the last step once, and write the results.

    Args:
        cli: The data module, the model and the Trainer of the run. Without a progress bar, only
            errors and the summary are printed.

    Raises:
        UserError: The options do not fit each other, or no epoch was completed.
    """
    environment = describe_environment()
    trainer, model, data = cli.trainer, cli.model, cli.datamodule
    cli.history.running_commit = environment.commit
    _prepare(cli)
    trainer.fit(model, data, ckpt_path=cli.resume_from)
    if cli.config.trainer.fast_dev_run:
        trainer.print("fast_dev_run: finished without errors; no file was written")
        return
    if not cli.history.ends_at(trainer.global_step):
        raise UserError(
            f"No epoch was completed after step {trainer.global_step}, so there is no model to "
            "test: increase --trainer.max_time"
        )
    (tested,) = trainer.test(model, data, verbose=False)
    if trainer.is_global_zero:
        with one_writer(cli.output_dir, cli.name):
            print(write_results(cli, tested, environment))


def _prepare(cli: StudyCLI) -> None:
    """Load weights and data, and check what would otherwise fail after hours of training."""
    trainer, model, data, quiet = cli.trainer, cli.model, cli.datamodule, cli.is_quiet
    if quiet:
        logging.getLogger("mnist_lightning").setLevel(logging.ERROR)
    if cli.resume_from is None:
        # Before anything else, because it is most likely to fail.
        model.load_pretrained()
    if model.precompute is not None and not cli.config.trainer.fast_dev_run:
        data.precompute_with(model.precompute, model.augmented_passes)
    measured_format(model.network)  # warns where that is not TorchScript
    check_writable(cli.output_dir, bytes_needed=cli.bytes_needed)
    if trainer.is_global_zero:
        # Incomplete files of killed runs; only a resumed run would overwrite them.
        remove_abandoned(cli.output_dir / "runs" / cli.name)
        # Before anything is written; the other processes wait inside fit().
        data.prepare_data()
        data.setup()
        if not quiet:
            text = run_description.announce(trainer, model, data, trainer.precision_reason)
            print(text, flush=True)


def write_results(cli: StudyCLI, tested: Mapping[str, float], environment: Environment) -> str:
    """Write the results of a run, and log them to TensorBoard.

    Args:
        cli: The run; its model has the weights after the last step.
        tested: The metrics that ``Trainer.test`` returned for them.
        environment: Hardware, versions and commit at the start of the run.

    Returns:
        The summary of the run, to print.
    """
    # Figures and exports: only the first process needs them, and only now.
    from mnist_lightning import results
    from mnist_lightning.reporting.summary import summary

    data, folder = cli.datamodule, cli.output_dir
    trained, formats = _describe(cli, tested), cli.config.export_formats
    written = results.write(cli.model.network, trained, data.held_out, environment, folder, formats)
    cli.run_logger.log_results(written.record, written.previews, data.batch_size)
    tensorboard = shlex.join(["tensorboard", "--logdir", str(folder / "runs")])
    return summary(written.record, written.files, tensorboard)


def _describe(cli: StudyCLI, tested: Mapping[str, float]) -> Trained:
    """Collect the description of the run for its record."""
    labels = ", with the teacher's probabilities as labels" if cli.teacher else ""
    augmented, averaged = cli.datamodule.augmentation is not None, cli.config.ema.decay > 0
    return Trained(
        network=run_description.describe_network(cli.model, cli.name, cli.preset),
        dataset=run_description.describe_dataset(cli.datamodule),
        training=run_description.describe_training(
            cli.trainer,
            cli.history,
            seconds=cli.stopwatch.seconds,
            seed=cli.config.seed_everything,
            command=cli.command,
        ),
        trainer_test={key.removeprefix("test/"): value for key, value in tested.items()},
        command=f"python scripts/train.py {shlex.join(cli.command)}",
        history=cli.history.table,
        step_losses=cli.history.step_losses,
        history_note=f"training: {'distorted' if augmented else 'clean'} images{labels}, while the "
        "weights change; validation: clean images, "
        f"{'averaged weights' if averaged else 'weights at the end of the epoch'}",
    )
