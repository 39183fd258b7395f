"""``python scripts/train.py --model NAME``: build, fit, test, and write the results.

``--help`` and the most common mistakes are answered before torch is imported.
"""

from __future__ import annotations

import logging
import shlex
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mnist_lightning.errors import UserError
from mnist_lightning.records.artefacts import RECORD
from mnist_lightning.terminal.parser import VERSION, run_command
from mnist_lightning.terminal.presets import expand
from mnist_lightning.terminal.training_command import (
    help_text,
    resume_command,
    take_quiet,
    take_seeds,
    with_preset_names,
)

if TYPE_CHECKING:
    from mnist_lightning.cli import StudyCLI
    from mnist_lightning.records.environment import Environment
    from mnist_lightning.records.training_outcome import Trained

_WITHOUT_PROGRESS = ("--trainer.enable_progress_bar", "false")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: The arguments of the command line; None means those of the process.

    Returns:
        The exit status: 0, 2 after an error that the user can fix, 130 after Ctrl-C, 143 after
        SIGTERM.
    """
    args = list(sys.argv[1:] if argv is None else argv)
    return run_command(lambda: _run(args))


def _run(typed: list[str]) -> int:
    if {"-h", "--help"} & {*typed}:
        print(help_text())
        return 0
    if "--version" in typed:
        print(VERSION)
        return 0
    quiet, args = take_quiet(with_preset_names(typed))
    seeds, rest = take_seeds(args)
    more = _WITHOUT_PROGRESS if quiet else ()
    config = ["--help"] if "--help_all" in args else expand([*rest, *more])
    from mnist_lightning.cli import StudyCLI
    from mnist_lightning.terminal.logs import configure_logging
    from mnist_lightning.training.interruption import Interrupted
    from mnist_lightning.training.processes import end_process_group, is_first_process

    configure_logging(logging.INFO if is_first_process() else logging.ERROR)
    try:
        if seeds:
            train_seeds(rest, seeds, more)
        else:
            train(StudyCLI(config, command=args))
        status = 0
    except Interrupted as stop:
        # Lightning kills the first process when another one ends with an error.
        status = 128 + stop.signum if is_first_process() else 0
        if is_first_process():
            resume = resume_command(typed)
            print(f"stopped by {stop} with a checkpoint; resume with\n  {resume}", file=sys.stderr)
    end_process_group()
    return status


def train(cli: StudyCLI) -> None:
    """Train, test the weights after the last step once, and write the results.

    Args:
        cli: The data module, the model and the Trainer of the run. Without a progress bar, only
            errors and the summary are printed.

    Raises:
        UserError: The options do not fit each other, or no epoch was completed.
    """
    from mnist_lightning.files.storage import one_writer
    from mnist_lightning.records.environment import describe_environment

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
    from mnist_lightning.export.formats import measured_format
    from mnist_lightning.files.storage import check_writable, remove_abandoned
    from mnist_lightning.training.run_description import announce

    trainer, model, data, quiet = cli.trainer, cli.model, cli.datamodule, _is_quiet(cli)
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
            print(announce(trainer, model, data, trainer.precision_reason), flush=True)


def write_results(cli: StudyCLI, tested: Mapping[str, float], environment: Environment) -> str:
    """Write the results of a run, and log them to TensorBoard.

    Args:
        cli: The run; its model has the weights after the last step.
        tested: The metrics that ``Trainer.test`` returned for them.
        environment: Hardware, versions and commit at the start of the run.

    Returns:
        The summary of the run, to print.
    """
    from mnist_lightning import results
    from mnist_lightning.reporting.summary import summary

    data, folder = cli.datamodule, cli.output_dir
    trained, formats = _describe(cli, tested), cli.config.export_formats
    written = results.write(cli.model.network, trained, data.held_out, environment, folder, formats)
    cli.run_logger.log_results(written.record, written.previews, data.batch_size)
    tensorboard = shlex.join(["tensorboard", "--logdir", str(folder / "runs")])
    return summary(written.record, written.files, tensorboard)


def _is_quiet(cli: StudyCLI) -> bool:
    return cli.trainer.progress_bar_callback is None


def _describe(cli: StudyCLI, tested: Mapping[str, float]) -> Trained:
    """Collect the description of the run for its record."""
    from mnist_lightning.records.training_outcome import Trained
    from mnist_lightning.training import run_description

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


def train_seeds(args: list[str], seeds: list[int], more: Sequence[str] = ()) -> None:
    """Train once with each seed; skip finished seeds and resume interrupted ones.

    The run of a seed is in ``<output_dir>/seeds/<name>/seed_<N>``; its model, predictions and
    record are copied to ``<output_dir>/seeds/<name>``. All results of the first seed are copied to
    ``<output_dir>``, as for a single training.

    Args:
        args: The arguments of the command line without ``--seeds``.
        seeds: The seeds, without repetition.
        more: Options that do not change the results, and so are not part of the recorded command.

    Raises:
        UserError: The record of a seed is of another command.
    """
    from mnist_lightning import results
    from mnist_lightning.cli import StudyCLI
    from mnist_lightning.comparison.seed_study import seed_folder, seed_is_complete
    from mnist_lightning.files.storage import one_writer

    # What follows from the options alone, whichever the seed.
    cli = StudyCLI(expand([*args, *more]), command=args)
    output_dir, name, quiet = cli.output_dir, cli.name, _is_quiet(cli)
    # A name means a model of the output folder, which is not that of a seed.
    teacher = ["--model.teacher", str(cli.teacher)] if cli.teacher else []
    for seed in seeds:
        command = [*args, "--seed_everything", str(seed)]
        folder = seed_folder(output_dir, name) / f"seed_{seed}"
        if seed_is_complete(folder, command):
            if not quiet:
                print(f"seed {seed}: done, see {folder}{RECORD}", flush=True)
            continue
        if not quiet:
            print(f"seed {seed}:", flush=True)
        begun = any(folder.glob("runs/*/*/checkpoints/[!.]*.ckpt"))
        resume = ["--ckpt_path", "last"] if begun else []
        options = ["--output_dir", str(folder), *resume, *teacher, *more]
        run = StudyCLI(expand([*command, *options]), command=command)
        train(run)
        # Only the first process writes and copies results.
        if run.trainer.is_global_zero:
            if seed == seeds[0]:
                with one_writer(folder, name), one_writer(output_dir, name):
                    results.copy_results(folder, output_dir, name)
            results.keep_seed(folder, name)


if __name__ == "__main__":
    sys.exit(main())
