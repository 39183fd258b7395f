"""``python scripts/train.py --model NAME``: build, fit, test, and write the results.

Help and the most common mistakes are answered before anything heavy is imported.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_lightning.errors import UserError
from mnist_lightning.terminal.parser import VERSION, run_command
from mnist_lightning.terminal.presets import expand
from mnist_lightning.terminal.training_command import help_text, resume_command, take_seeds, wants

if TYPE_CHECKING:
    from mnist_lightning.cli import StudyCLI
    from mnist_lightning.records.environment import Environment
    from mnist_lightning.records.record import Trained


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: The command line without the program's name; None takes that of the process.

    Returns:
        The exit status: 0, 1 when another process of the training is lost, 2 after an error that
        the user can fix, 130 after Ctrl-C, 143 after SIGTERM.
    """
    args = list(sys.argv[1:] if argv is None else argv)
    if wants(args, "-h", "--help"):
        print(help_text())
        return 0
    if wants(args, "--version"):
        print(VERSION)
        return 0
    return run_command(lambda: _run(args))


def _run(args: list[str]) -> int:
    everything = wants(args, "--help_all")
    seeds, words = take_seeds(args)
    config = ["--help"] if everything else expand(words)
    from mnist_lightning.cli import StudyCLI
    from mnist_lightning.terminal.logs import configure_logging
    from mnist_lightning.training import peers
    from mnist_lightning.training.interruption import Interrupted

    configure_logging()
    peers.silence_other_processes()
    try:
        if seeds:
            train_seeds(words, seeds)
        else:
            train(StudyCLI(config, command=args))
    except Interrupted as stop:
        if peers.is_first_process():
            print(
                f"stopped by {stop} with a checkpoint; resume with\n  {resume_command(args)}",
                file=sys.stderr,
            )
        return 128 + stop.signum
    except RuntimeError as error:
        if not peers.is_lost_peer(error):
            raise
        print(peers.lost_peer_message(resume_command(args)), file=sys.stderr, flush=True)
        return peers.LOST
    return 0


def train(cli: StudyCLI) -> None:
    """Train, test the best checkpoint once, and write the results.

    Args:
        cli: The data module, the model and the Trainer of the run.

    Raises:
        UserError: The options leave nothing to train or to test.
    """
    from mnist_lightning.files.storage import check_writable, one_writer, remove_abandoned
    from mnist_lightning.records.environment import describe_environment
    from mnist_lightning.training.checkpoints import read_checkpoint
    from mnist_lightning.training.run_description import announce

    environment = describe_environment()
    trainer, model, data = cli.trainer, cli.model, cli.datamodule
    cli.history.running_commit = environment.commit
    if cli.resume_from is None:
        # First, because it is the most likely to fail.
        model.load_pretrained()
    if model.precompute is not None and not cli.config.trainer.fast_dev_run:
        data.precompute_with(model.precompute, model.augmented_passes)
    check_writable(cli.output_dir, bytes_needed=cli.bytes_needed)
    if trainer.is_global_zero:
        # A resumed run writes into the folder of a killed one again, others do not.
        remove_abandoned(cli.output_dir / "runs" / cli.name)
        # Before anything is written; the other processes wait for it inside of fit().
        data.prepare_data()
        data.setup()
        print(announce(trainer, model, data, trainer.precision_reason), flush=True)

    trainer.fit(model, data, ckpt_path=cli.resume_from)
    if cli.config.trainer.fast_dev_run:
        trainer.print("fast_dev_run: everything works; no file was written")
        return
    if not cli.best.best_model_path:
        raise UserError(
            "No epoch was completed, so there is nothing to test: raise --trainer.max_steps or "
            "--trainer.max_time"
        )
    # Not test(ckpt_path=...), which would also reset the history and the clock to that epoch.
    model.load_state_dict(read_checkpoint(Path(cli.best.best_model_path))["state_dict"])
    (tested,) = trainer.test(model, data, verbose=False)
    if trainer.is_global_zero:
        with one_writer(cli.output_dir, cli.name):
            print(write_results(cli, tested, environment))


def write_results(cli: StudyCLI, tested: Mapping[str, float], environment: Environment) -> str:
    """Write the results of a run, and log them to TensorBoard.

    Args:
        cli: The run; its model has the weights of the best checkpoint.
        tested: What ``Trainer.test`` returned for them.
        environment: The machine and the source, as they were when the run began.

    Returns:
        The summary of the run, for the terminal.
    """
    from mnist_lightning import results
    from mnist_lightning.reporting.summary import summary

    data, folder = cli.datamodule, cli.output_dir
    trained, formats = _describe(cli, tested), cli.config.export_formats
    written = results.write(cli.model.network, trained, data.held_out, environment, folder, formats)
    cli.run_logger.log_results(written.record, written.figures, data.batch_size)
    return summary(written.record, written.files, f"tensorboard --logdir {folder / 'runs'}")


def _describe(cli: StudyCLI, tested: Mapping[str, float]) -> Trained:
    """Collect what the record says about the run, after its best checkpoint was tested."""
    from mnist_lightning.records.record import Trained
    from mnist_lightning.training import run_description

    augmented, averaged = cli.datamodule.augmentation is not None, cli.config.ema.decay > 0
    return Trained(
        network=run_description.describe_network(cli.model, cli.name, cli.preset),
        dataset=run_description.describe_dataset(cli.datamodule),
        training=run_description.describe_training(
            cli.trainer,
            cli.history,
            cli.best,
            seconds=cli.stopwatch.seconds,
            seed=cli.config.seed_everything,
            command=cli.command,
        ),
        trainer_test={key.removeprefix("test/"): value for key, value in tested.items()},
        command=" ".join(["python scripts/train.py", *cli.command]),
        history=cli.history.table,
        history_note=f"training: {'distorted' if augmented else 'clean'} images, while the weights "
        "change; validation: clean images, "
        f"{'averaged weights' if averaged else 'weights at the end of the epoch'}",
    )


def train_seeds(args: list[str], seeds: list[int]) -> None:
    """Train once with each seed, skip the complete ones and resume the interrupted ones.

    Each seed has a folder ``<output_dir>/seeds/<name>/seed_<N>``, beside which its model, its
    predictions and its record are kept. All results of the first seed are copied to
    ``<output_dir>``, where those of a single training are.

    Args:
        args: The command line without ``--seeds``.
        seeds: The seeds, each once.

    Raises:
        UserError: The record of a seed is of another command.
    """
    from mnist_lightning import results
    from mnist_lightning.cli import StudyCLI
    from mnist_lightning.comparison.seed_study import seed_folder, seed_is_complete
    from mnist_lightning.files.storage import one_writer

    for seed in seeds:
        words = [*args, "--seed_everything", str(seed)]
        cli = StudyCLI(expand(words), command=words)
        output_dir, name = cli.output_dir, cli.name
        folder = seed_folder(output_dir, name) / f"seed_{seed}"
        if seed_is_complete(folder, words):
            print(f"seed {seed}: done, see {folder}_metrics.json", flush=True)
            continue
        print(f"seed {seed}:", flush=True)
        resume = ["--ckpt_path", "last"] if any(folder.glob("runs/*/*/checkpoints/*.ckpt")) else []
        run = StudyCLI(expand([*words, "--output_dir", str(folder), *resume]), command=words)
        train(run)
        # The results are written, and copied, by the first process alone.
        if run.trainer.is_global_zero:
            if seed == seeds[0]:
                with one_writer(folder, name), one_writer(output_dir, name):
                    results.copy_results(folder, output_dir, name)
            results.keep_seed(folder, name)
