"""``python scripts/compare.py``: measure the exported models side by side and say what follows.

Nothing heavy is imported before the command line and the folder have been looked at.
"""

from __future__ import annotations

import re
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_lightning.command import CommandParser, run_command
from mnist_lightning.command_line import VERSION
from mnist_lightning.errors import OutputError, UserError
from mnist_lightning.presets import preset_file, preset_names

if TYPE_CHECKING:
    from mnist_lightning.evaluation.record import Record

BASELINE = "custom_cnn"
SECOND = "resnet50"
# What a training leaves of each model that takes part; the record last, as it is written last.
COMPLETE = ("_model.pt", "_predictions.npz", "_metrics.json")
HOW_ROBUST = "How they take corrupted digits: python scripts/robustness.py"
EPILOG = """\
examples:
  python scripts/compare.py
  python scripts/compare.py --models custom_cnn resnet50 resnet50_finetune
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: The command line without the program's name; None takes that of the process.

    Returns:
        The exit status: 0, 2 when the user has something to mend, 130 after Ctrl-C.
    """
    return run_command(lambda: _run(_parser().parse_args(argv)))


def _run(arguments: Namespace) -> int:
    output_dir = arguments.output_dir
    presets = choose_models(output_dir, arguments.models)

    from mnist_lightning.comparing import compare
    from mnist_lightning.comparison_files import write_comparison
    from mnist_lightning.contestants import load_contestant, load_test_images, read_records
    from mnist_lightning.evaluation.benchmark import default_settings
    from mnist_lightning.evaluation.robustness import FILE_NAME as ROBUSTNESS_FILE
    from mnist_lightning.evaluation.robustness import read_robustness_of
    from mnist_lightning.evaluation.seeds import read_seeds, study_seeds
    from mnist_lightning.quiet import be_quiet
    from mnist_lightning.reporting.comparison_text import terminal_summary
    from mnist_lightning.reporting.robustness_text import beside_clean_accuracy
    from mnist_lightning.storage import check_writable

    be_quiet()
    records = read_records(output_dir, presets)
    check_writable(output_dir, bytes_needed=20_000_000)
    dataset = load_test_images(records[0], arguments.data_dir or recorded_data_dir(records[0]))
    contestants = [load_contestant(output_dir, record, dataset) for record in records]
    seeds = study_seeds({entry.model.name: read_seeds(output_dir, entry) for entry in records})
    # Before anything is measured, because a damaged file ends the command.
    robustness = read_robustness_of(
        output_dir / ROBUSTNESS_FILE,
        dataset.fingerprint,
        {record.model.name: record.model.file.sha256 for record in records},
    )
    images = dataset.test.images
    settings = default_settings(arguments.seconds)
    points = len(settings.threads) * len(settings.batch_sizes)
    print(
        f"Timing {len(records)} models in turn at {points} points, "
        f"about {points * len(records) * max(arguments.seconds, 0.1):.0f} s or more ...",
        file=sys.stderr,
        flush=True,
    )
    comparison = compare(contestants, images, settings, seeds)
    files = write_comparison(comparison, images[:, 0].numpy(), output_dir, robustness)
    print(terminal_summary(comparison, files))
    print(f"\n{beside_clean_accuracy(robustness) if robustness else HOW_ROBUST}")
    return 0


def _parser() -> ArgumentParser:
    parser = CommandParser(
        prog="compare.py",
        description="Compare trained models on the same test images. Nothing is trained.",
        epilog=EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--models",
        nargs="+",
        metavar="NAME",
        help="prefixes of the files, the baseline first (default: every complete record, "
        f"{BASELINE} first)",
    )
    parser.add_argument(
        "--output_dir",
        type=Path,
        default=Path("output"),
        metavar="DIR",
        help="where the trainings left their files, and where the comparison is written "
        "(default: output)",
    )
    parser.add_argument(
        "--data_dir",
        type=Path,
        metavar="DIR",
        help="where MNIST lies (default: where the first model's training found it)",
    )
    parser.add_argument(
        "--seconds",
        type=_seconds,
        default=0.8,
        metavar="S",
        help="time for each model at each thread count and batch size (default: 0.8)",
    )
    parser.add_argument("--version", action="version", version=VERSION)
    return parser


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 3600:
        raise ValueError
    return value


def choose_models(output_dir: Path, names: Sequence[str] | None) -> dict[str, str]:
    """Decide which models to compare.

    Args:
        output_dir: Folder of the artefacts.
        names: The models' names, the baseline first; None takes every complete record.

    Returns:
        What ``--model`` takes to train each model, by the model's name, the baseline first.

    Raises:
        UserError: A name is given twice or contains a path.
        OutputError: There are fewer than two models.
    """
    presets = presets_by_model_name()
    if names is None:
        names = _complete(output_dir)
    elif len(set(names)) < len(names):
        raise UserError(f"--models names a model twice: {' '.join(names)}")
    for name in names:
        if Path(name).name != name:
            raise UserError(f"--models takes names such as {BASELINE}, not the path '{name}'")
    if len(names) < 2:
        raise OutputError(_too_few(output_dir, names, presets))
    return {name: presets.get(name, "NAME") for name in names}


def presets_by_model_name() -> dict[str, str]:
    """Return the preset that trains each model, by the prefix of the files it leaves."""
    found = {}
    for preset in preset_names():
        text = preset_file(preset).read_text(encoding="utf-8")
        name = re.search(r"^name: *([\w-]+)", text, flags=re.MULTILINE)
        found[name[1] if name else preset] = preset
    return found


def recorded_data_dir(record: Record) -> Path:
    """Return where a training was told to look for MNIST."""
    words = record.training.command
    option = "--data.data_dir"
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word == option and following:
            return Path(following)
        if word.startswith(f"{option}="):
            return Path(word.partition("=")[2])
    return Path("data")


def _complete(output_dir: Path) -> list[str]:
    suffix = COMPLETE[-1]
    names = [path.name.removesuffix(suffix) for path in output_dir.glob(f"*{suffix}")]
    complete = []
    for name in names:
        missing = [end for end in COMPLETE if not (output_dir / f"{name}{end}").is_file()]
        if missing:
            lost = ", ".join(f"{name}{end}" for end in missing)
            print(f"leaving out {name}: {output_dir} has no {lost}", file=sys.stderr)
        else:
            complete.append(name)
    return sorted(complete, key=lambda name: (name != BASELINE, name != SECOND, name))


def _too_few(output_dir: Path, names: Sequence[str], presets: dict[str, str]) -> str:
    wanted = [name for name in (BASELINE, SECOND) if name not in names][: 2 - len(names)]
    commands = " and ".join(
        f"`python scripts/train.py --model {presets.get(name, name)}`" for name in wanted
    )
    if not names:
        return f"There is no complete record in {output_dir}: make two with {commands}."
    return (
        f"There is only '{names[0]}' to compare in {output_dir}: make the second with {commands}."
    )
