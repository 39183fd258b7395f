"""``python scripts/ensemble.py``: average the exported models of several seeds into one file.

Nothing heavy is imported before the command line has been looked at.
"""

from __future__ import annotations

import re
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Iterable, Sequence
from pathlib import Path

from mnist_lightning.command import CommandParser, run_command
from mnist_lightning.command_line import VERSION
from mnist_lightning.compare import (
    BASELINE,
    COMPLETE,
    presets_by_model_name,
    recorded_data_dir,
)
from mnist_lightning.errors import OutputError, UserError

SIZE = 5
EPILOG = """\
examples:
  python scripts/train.py --model cnn --seeds 0 1 2 3 4
  python scripts/ensemble.py
  python scripts/ensemble.py --model custom_cnn --seeds 0 1 2
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: The command line without the program's name; None takes that of the process.

    Returns:
        The exit status: 0, 2 when the user has something to mend, 130 after Ctrl-C.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    return run_command(lambda: _run(_parser().parse_args(words), words))


def _run(arguments: Namespace, words: list[str]) -> int:
    presets = presets_by_model_name()
    # What train.py calls the model is taken as well as the prefix of the files.
    names = {preset: name for name, preset in presets.items()}
    name = names.get(arguments.model, arguments.model)
    output_dir, preset = arguments.output_dir, presets.get(name, "NAME")
    seeds = choose_seeds(output_dir, name, arguments.seeds, preset)
    if arguments.seeds is None:
        # The first, not the best: choosing by accuracy would select on the test images.
        seeds = seeds[:SIZE]

    from mnist_lightning.contestants import load_test_images
    from mnist_lightning.ensembling import leave_ensemble
    from mnist_lightning.evaluation.environment import describe_environment
    from mnist_lightning.evaluation.schema import ENSEMBLE_SUFFIX
    from mnist_lightning.members import load_networks, read_members
    from mnist_lightning.quiet import be_quiet
    from mnist_lightning.storage import check_writable, one_writer

    be_quiet()
    environment = describe_environment()
    members = read_members(output_dir, name, seeds, preset)
    first = members[0].record
    dataset = load_test_images(first, arguments.data_dir or recorded_data_dir(first))
    networks = load_networks(members, dataset.test.images)
    weights = sum(member.record.model.file.bytes for member in members)
    check_writable(output_dir, bytes_needed=2 * weights + 20_000_000)
    command = " ".join(["python scripts/ensemble.py", *words])
    with one_writer(output_dir, f"{name}{ENSEMBLE_SUFFIX}"):
        print(leave_ensemble(members, networks, dataset, output_dir, environment, command))
    return 0


def choose_seeds(
    output_dir: Path, name: str, wanted: Sequence[int] | None, preset: str
) -> list[int]:
    """Decide which seeds to average.

    Args:
        output_dir: Folder of the artefacts.
        name: The model's name.
        wanted: The seeds, or None for all whose exported file and predictions were kept.
        preset: What ``--model`` of ``train.py`` takes to train the model.

    Returns:
        At least two seeds, as they were asked for or else ascending.

    Raises:
        UserError: The name is a path, a seed is given twice, or there is only one.
        OutputError: Files are missing.
    """
    if Path(name).name != name:
        raise UserError(f"--model takes a name such as {BASELINE}, not the path '{name}'")
    if wanted is not None and len(set(wanted)) < max(2, len(wanted)):
        raise UserError(
            f"--seeds needs two or more different seeds, not '{' '.join(map(str, wanted))}'"
        )

    from mnist_lightning.evaluation.seeds import seed_folder

    folder = seed_folder(output_dir, name)
    seeds = _recorded(folder) if wanted is None else list(wanted)
    missing = {seed: lost for seed in seeds if (lost := _missing(folder, seed))}
    if missing and wanted is not None:
        lost = next(iter(missing.values()))
        mend = remedy(folder, missing, seeds, preset)
        raise OutputError(f"There is no {folder / lost[0]}: {mend}.")
    for seed, lost in missing.items():
        print(f"leaving out seed {seed}: {folder} has no {', '.join(lost)}", file=sys.stderr)
    complete = [seed for seed in seeds if seed not in missing]
    if len(complete) < 2:
        enough = list(dict.fromkeys([*seeds, *range(SIZE)]))[: max(SIZE, len(seeds))]
        raise OutputError(
            f"There are fewer than two complete seeds in {folder}: "
            f"{remedy(folder, missing, enough, preset)}."
        )
    return complete


def remedy(folder: Path, lost: Iterable[int], seeds: Sequence[int], preset: str) -> str:
    """Say how the files of seeds are made again.

    Args:
        folder: Where they lie.
        lost: The seeds. A record says that its seed is done, so that it has to go first.
        seeds: All seeds of the ensemble: one command trains them, and skips those that are done.
        preset: What ``--model`` of ``train.py`` takes to train the model.
    """
    records = [f"seed_{seed}{COMPLETE[-1]}" for seed in lost]
    there = [name for name in records if (folder / name).is_file()]
    delete = f"delete {', '.join(there)} there and " if there else ""
    words = " ".join(map(str, seeds))
    return f"{delete}run `python scripts/train.py --model {preset} --seeds {words}`"


def _recorded(folder: Path) -> list[int]:
    names = [re.fullmatch(rf"seed_(\d+){COMPLETE[-1]}", path.name) for path in folder.glob("*")]
    return sorted(int(found[1]) for found in names if found)


def _missing(folder: Path, seed: int) -> list[str]:
    names = [f"seed_{seed}{end}" for end in COMPLETE]
    return [name for name in names if not (folder / name).is_file()]


def _parser() -> ArgumentParser:
    parser = CommandParser(
        prog="ensemble.py",
        description="Average the exported models of several seeds into one file, and measure it. "
        "Nothing is trained.",
        epilog=EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--model",
        default=BASELINE,
        metavar="NAME",
        help=f"prefix of the model's files, or what train.py calls it (default: {BASELINE})",
    )
    parser.add_argument(
        "--seeds",
        nargs="+",
        type=_seed,
        metavar="N",
        help=f"the seeds to average (default: the first {SIZE} whose files were kept)",
    )
    parser.add_argument(
        "--output_dir",
        type=Path,
        default=Path("output"),
        metavar="DIR",
        help="where the training left its files, and where these are written (default: output)",
    )
    parser.add_argument(
        "--data_dir",
        type=Path,
        metavar="DIR",
        help="where MNIST lies (default: where the training of the first seed found it)",
    )
    parser.add_argument("--version", action="version", version=VERSION)
    return parser


def _seed(text: str) -> int:
    value = int(text)
    if value < 0:
        raise ValueError
    return value
