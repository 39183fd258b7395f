"""``python scripts/predict.py``: read handwritten digits in image files.

Nothing heavy is imported before the command line has been looked at.
"""

from __future__ import annotations

import sys
from argparse import ArgumentTypeError, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_lightning.errors import DataError, OutputError
from mnist_lightning.terminal.parser import CommandParser, run_command

if TYPE_CHECKING:
    from mnist_lightning.export.trained_model import TrainedModel
    from mnist_lightning.handwriting.answers import ReadDigit
    from mnist_lightning.handwriting.ink import Invert
    from mnist_lightning.handwriting.inputs import InputDigit

EXAMPLES = """\
  python scripts/predict.py photo.jpg
  python scripts/predict.py scans/ --csv > answers.csv
  python scripts/predict.py page.png --show seen.png --error_rate 0.01
  python scripts/predict.py data --model output/custom_cnn_model.pt output/resnet50_model.pt

"?" stands for "I don't know": a confidence below the threshold that kept to --error_rate on the
validation images of the model's training. The exit status is 1 if a file could not be read, and 2
if none could.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: The command line without the program's name; None takes that of the process.

    Returns:
        The exit status: 0, 1 when a file could not be read, 2 when none could or the user has
        something else to mend, 130 after Ctrl-C.
    """
    return run_command(lambda: _run(_parser().parse_args(argv)))


def _run(arguments: Namespace) -> int:
    from mnist_lightning.export.trained_model import load_trained
    from mnist_lightning.handwriting.answers import answer_all
    from mnist_lightning.handwriting.inputs import expand
    from mnist_lightning.records.artefacts import find_models
    from mnist_lightning.terminal.logs import configure_logging

    configure_logging()
    files = list(expand(arguments.files))
    if arguments.show:
        _check_picture(arguments.show, files)
    paths = arguments.model or find_models(Path("output"))[:1]
    if not paths:
        raise OutputError("There is no model in output: train one, or name one with --model.")
    models = [load_trained(path, arguments.error_rate) for path in paths]
    for model in models:
        if model.rejection is None:
            print(f"{model.path} {_WITHOUT_RULE}", file=sys.stderr)
    inputs, failed = _read(files, arguments.invert)
    digits = answer_all(models, inputs)
    _print(arguments, models, digits, failed)
    if arguments.show and digits:
        _show(arguments.show, digits, inputs)
    if not failed:
        return 0
    return 1 if digits else 2


_WITHOUT_RULE = (
    "has no record and validation predictions beside it: its confidence is not calibrated, and "
    "every digit gets an answer."
)


def _parser() -> CommandParser:
    parser = CommandParser(
        "predict.py",
        "Read handwritten digits in photographs, scans, PDF pages and datasets.",
        EXAMPLES,
    )
    parser.add_argument(
        "files",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="images, PDFs, IDX files, folders of them, or a folder with MNIST (its test images)",
    )
    parser.add_argument(
        "--model",
        nargs="+",
        type=Path,
        metavar="PATH",
        help="model files, side by side (default: the first in output, the custom CNN before all)",
    )
    parser.add_argument(
        "--invert",
        choices=["auto", "yes", "no"],
        default="auto",
        help="light digits on dark ground: yes, no, or decided for each image (default: auto)",
    )
    parser.add_argument(
        "--error_rate",
        type=_share,
        default=0.001,
        metavar="R",
        help="largest share of errors among answered validation images (default: 0.001)",
    )
    parser.add_argument(
        "--show",
        type=Path,
        metavar="PNG",
        help="draw the digits as given and as the model sees them, with the answers",
    )
    output = parser.add_mutually_exclusive_group()
    output.add_argument("--json", action="store_true", help="print JSON instead of a table")
    output.add_argument("--csv", action="store_true", help="print CSV instead of a table")
    return parser


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise ArgumentTypeError(f"{text!r} is no share from 0 to 1")
    return value


def _check_picture(picture: Path, files: list[Path]) -> None:
    """Refuse, before anything is read, to draw where no picture can be or where another file is."""
    if picture.suffix.lower() != ".png":
        raise OutputError(f"--show draws a PNG file: let the name {picture} end with .png")
    if not picture.parent.is_dir():
        raise OutputError(f"--show: there is no folder {picture.parent}: name one that is there")
    if picture.resolve() in {file.resolve() for file in files}:
        raise OutputError(f"--show would draw over {picture}, which is to be read: name another")


def _read(files: list[Path], invert: Invert) -> tuple[list[InputDigit], dict[str, str]]:
    """Read all files; those that fail are told at once and do not stop the others."""
    from mnist_lightning.handwriting.inputs import read_digits

    inputs: list[InputDigit] = []
    failed: dict[str, str] = {}

    def read(path: Path) -> None:
        try:
            inputs.extend(read_digits(path, invert))
        except (DataError, OSError) as error:
            failed[str(path)] = str(error)
            print(f"error: {error}", file=sys.stderr)

    for path in files:
        read(path)
    return inputs, failed


def _print(
    arguments: Namespace,
    models: Sequence[TrainedModel],
    digits: Sequence[ReadDigit],
    failed: dict[str, str],
) -> None:
    from dataclasses import asdict

    from mnist_lightning.handwriting.answers import names_of
    from mnist_lightning.reporting.answers_text import answers_csv, answers_json, answers_table

    if arguments.json:
        described: list[dict[str, object]] = [
            {
                "name": name,
                "path": str(model.path),
                "rejection": asdict(model.rejection) if model.rejection else None,
            }
            for name, model in zip(names_of(models), models, strict=True)
        ]
        print(answers_json(digits, described, failed))
    elif arguments.csv:
        print(answers_csv(digits))
    elif digits:
        print(answers_table(digits, names_of(models)))


def _show(path: Path, digits: Sequence[ReadDigit], inputs: Sequence[InputDigit]) -> None:
    from mnist_lightning.files.storage import atomic_path
    from mnist_lightning.reporting.answers_figure import plot_answers
    from mnist_lightning.reporting.style import DPI

    figure = plot_answers(digits, [one.cutout for one in inputs], [one.pixels for one in inputs])
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=DPI, format="png")
    print(f"Drawn: {path}", file=sys.stderr)
