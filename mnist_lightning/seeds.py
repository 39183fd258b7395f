"""The same training with several seeds, one after the other: ``train.py --seeds 0 1 2``."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from mnist_lightning.cli import StudyCLI
from mnist_lightning.command_line import expand
from mnist_lightning.compare import COMPLETE
from mnist_lightning.errors import UserError
from mnist_lightning.evaluation.record import read_record
from mnist_lightning.evaluation.seeds import seed_folder
from mnist_lightning.storage import atomic_path, one_writer


def train_seeds(args: list[str], seeds: list[int], train: Callable[[StudyCLI], None]) -> None:
    """Train once with each seed, skip what is done and continue what was interrupted.

    Each seed has a folder of its own below ``<output_dir>/seeds/<name>``. Its exported file, its
    predictions and its record are kept beside these folders as ``seed_<N>_model.pt``,
    ``seed_<N>_predictions.npz`` and ``seed_<N>_metrics.json``: the record names the first two as
    the training did and knows them by their hashes. The results of the first seed are copied to
    ``<output_dir>``, where those of a single training lie.

    Args:
        args: The command line without ``--seeds``.
        seeds: The seeds, each once.
        train: Trains one run.

    Raises:
        UserError: The record of a seed is of another command.
    """
    for seed in seeds:
        words = [*args, "--seed_everything", str(seed)]
        cli = StudyCLI(expand(words), command=words)
        output_dir, name = cli.output_dir, cli.name
        folder = seed_folder(output_dir, name) / f"seed_{seed}"
        record = folder.with_name(f"seed_{seed}_metrics.json")
        if record.is_file():
            _check_same_command(record, words)
            print(f"seed {seed}: done, see {record}", flush=True)
            continue
        print(f"seed {seed}:", flush=True)
        resume = ["--ckpt_path", "last"] if any(folder.glob("runs/*/*/checkpoints/*.ckpt")) else []
        inner = expand([*words, "--output_dir", str(folder), *resume])
        training = StudyCLI(inner, command=words)
        train(training)
        if not training.trainer.is_global_zero:
            # The results are written, and copied, by the first process alone.
            continue
        if seed == seeds[0]:
            with one_writer(folder, name), one_writer(output_dir, name):
                for path in sorted(folder.glob(f"{name}_*.*"), key=_records_last):
                    _copy(path, output_dir / path.name)
        # The record comes last, because it says that the seed is done.
        for end in COMPLETE:
            _copy(folder / f"{name}{end}", folder.with_name(f"{folder.name}{end}"))


def _check_same_command(record: Path, words: list[str]) -> None:
    if list(read_record(record).training.command) != words:
        raise UserError(
            f"{record} is of another command; delete it to train this seed again, or choose "
            "another --output_dir"
        )


def _records_last(path: Path) -> bool:
    return path.name.endswith(COMPLETE[-1])


def _copy(source: Path, destination: Path) -> None:
    with atomic_path(destination) as temporary:
        shutil.copyfile(source, temporary)
