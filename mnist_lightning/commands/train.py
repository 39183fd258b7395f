"""``python scripts/train.py --model NAME``: read the command line, and train once or once a seed.

``--help`` and the most common mistakes are answered before torch is imported.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

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
    from mnist_lightning.experiment import train
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
    from mnist_lightning.experiment import train
    from mnist_lightning.files.storage import one_writer

    # What follows from the options alone, whichever the seed.
    cli = StudyCLI(expand([*args, *more]), command=args)
    output_dir, name, quiet = cli.output_dir, cli.name, cli.is_quiet
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
