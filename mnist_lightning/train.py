"""``python scripts/train.py --model NAME``: train one model and leave all that the study promises.

Nothing heavy is imported before the command line has been looked at, so that help and the most
common mistakes are answered at once.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_lightning.command import run_command
from mnist_lightning.command_line import (
    VERSION,
    expand,
    help_text,
    resume_command,
    take_seeds,
    wants,
)
from mnist_lightning.errors import UserError

if TYPE_CHECKING:
    from mnist_lightning.cli import StudyCLI


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: The command line without the program's name; None takes that of the process.

    Returns:
        The exit status: 0, 1 when another process of the training is lost, 2 when the user has
        something to mend, 130 after Ctrl-C, 143 after SIGTERM.
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
    from mnist_lightning.quiet import be_quiet
    from mnist_lightning.seeds import train_seeds
    from mnist_lightning.training.interruption import Interrupted
    from mnist_lightning.training.peers import (
        LOST,
        farewell,
        is_first_process,
        let_one_speak,
        lost_peer,
    )

    be_quiet()
    let_one_speak()
    try:
        if seeds:
            train_seeds(words, seeds, train)
        else:
            train(StudyCLI(config, command=args))
    except Interrupted as stop:
        if is_first_process():
            print(
                f"stopped by {stop} with a checkpoint; resume with\n  {resume_command(args)}",
                file=sys.stderr,
            )
        return 128 + stop.signum
    except RuntimeError as error:
        if not lost_peer(error):
            raise
        print(farewell(resume_command(args)), file=sys.stderr, flush=True)
        return LOST
    return 0


def train(cli: StudyCLI) -> None:
    """Train, test the best checkpoint once, export it and write down what the file can do.

    Args:
        cli: The data module, the model and the Trainer of the run.

    Raises:
        UserError: The options leave nothing to train or to test.
    """
    from mnist_lightning.evaluation.environment import describe_environment
    from mnist_lightning.results import describe_run, leave_results
    from mnist_lightning.storage import check_writable, one_writer, remove_abandoned
    from mnist_lightning.training.runs import read_checkpoint

    environment = describe_environment()
    trainer, model, data = cli.trainer, cli.model, cli.datamodule
    cli.history.running_commit = environment.commit
    if cli.resume_from is None:
        # Before all else, because it is what fails most easily.
        model.load_pretrained()
    if model.precompute is not None and not cli.config.trainer.fast_dev_run:
        data.precompute_with(model.precompute, model.augmented_passes)
    check_writable(cli.output_dir, bytes_needed=cli.bytes_needed)
    if trainer.is_global_zero:
        # Of runs that were killed; what is resumed writes into their folders again, others do not.
        remove_abandoned(cli.output_dir / "runs" / cli.name)
        # Before anything is written; the other processes wait for it inside of fit().
        data.prepare_data()
        data.setup()
        print(describe_run(cli), flush=True)

    trainer.fit(model, data, ckpt_path=cli.resume_from)
    if cli.config.trainer.fast_dev_run:
        trainer.print("fast_dev_run: everything works; no file was written")
        return
    if not cli.best.best_model_path:
        raise UserError(
            "No epoch came to its end, so that there is nothing to test: give it more of "
            "--trainer.max_steps or --trainer.max_time"
        )
    # Not test(ckpt_path=...): that would also set the history and the clock back to that epoch.
    model.load_state_dict(read_checkpoint(Path(cli.best.best_model_path))["state_dict"])
    (tested,) = trainer.test(model, data, verbose=False)
    if trainer.is_global_zero:
        with one_writer(cli.output_dir, cli.name):
            print(leave_results(cli, tested, environment))
