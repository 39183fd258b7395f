"""``python scripts/predict.py``: read handwritten digits in image files.

Heavy imports are inside functions, so that ``--help`` and mistakes are answered at once.
"""

from __future__ import annotations

import shlex
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_lightning.errors import DataError, OutputError, UserError
from mnist_lightning.records.artefacts import NETWORK_SUFFIXES
from mnist_lightning.records.model_names import files_of_models
from mnist_lightning.terminal.parser import CommandParser, number_up_to, run_command

if TYPE_CHECKING:
    from mnist_lightning.export.trained_model import TrainedModel
    from mnist_lightning.handwriting.answers import ReadDigit
    from mnist_lightning.handwriting.ink import Invert
    from mnist_lightning.handwriting.inputs import InputDigit

EXAMPLES = """\
  python scripts/predict.py photo.jpg
  python scripts/predict.py scans/ --csv > answers.csv
  python scripts/predict.py page.png --show seen.png --error_rate 0.01
  python scripts/predict.py data --model cnn --model resnet50
  python scripts/predict.py photo.jpg --file mine/custom_cnn_model.onnx

"?" means "I don't know": the confidence is below the threshold at which the model keeps to
--error_rate on its validation images. The exit status is 1 if some files could not be read, and 2
if none could.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: The command line without the program's name; None takes that of the process.

    Returns:
        The exit status: 0, 1 if a file could not be read, 2 if none could or after an error
        that the user can fix, 130 after Ctrl-C.
    """
    return run_command(lambda: _run(_parser().parse_intermixed_args(argv)))


def _run(arguments: Namespace) -> int:
    from mnist_lightning.export.trained_model import load_trained
    from mnist_lightning.handwriting.answers import answer_all
    from mnist_lightning.handwriting.inputs import expand
    from mnist_lightning.terminal.logs import configure_logging

    configure_logging()
    _check_no_models(arguments.files)
    files = list(expand(arguments.files))
    if arguments.show:
        _check_picture(arguments.show, files)
    paths = files_of_models(arguments.model, arguments.file, arguments.output_dir, most=1)
    models = [load_trained(path, arguments.error_rate) for path in paths]
    for model in models:
        if model.rejection is None:
            print(_without_rule(model), file=sys.stderr)
    inputs, failed = _read(files, arguments.invert)
    digits = answer_all(models, inputs)
    _print(arguments, models, digits, failed)
    if arguments.show and digits:
        _show(arguments.show, digits, inputs)
    if not failed:
        return 0
    return 1 if digits else 2


def _check_no_models(files: Sequence[Path]) -> None:
    """Refuse a model among the images; earlier versions took several after one ``--model``."""
    for path in files:
        if path.suffix in NETWORK_SUFFIXES:
            given = shlex.quote(str(path))
            raise UserError(f"{path} is a model, not an image: name it with --file {given}")


def _without_rule(model: TrainedModel) -> str:
    calibration = "" if model.calibrated else "its confidence is not calibrated, and "
    return (
        f"{model.path} has no record and validation predictions next to it: {calibration}every "
        "digit gets an answer."
    )


def _parser() -> CommandParser:
    parser = CommandParser(
        "predict.py",
        "Read handwritten digits in photographs, scans, PDF pages and datasets.",
        EXAMPLES,
    )
    add = parser.add_argument
    files = "images, PDFs, IDX files, folders of them, or a folder with MNIST (its test images)"
    add("files", nargs="+", type=Path, metavar="FILE", help=files)
    model = "model to read with, e.g. cnn; once for each model (default: cnn_robust, else cnn, "
    model += "else the first one in --output_dir)"
    add("--model", action="append", default=[], metavar="NAME", help=model)
    file = "model file to read with; once for each file"
    add("--file", action="append", default=[], type=Path, metavar="PATH", help=file)
    parser.add_output_dir("folder of the trained models (default: output)")
    invert = "light digits on a dark background: yes, no, or decided per image (default: auto)"
    add("--invert", choices=["auto", "yes", "no"], default="auto", help=invert)
    rate = "largest share of errors among the answered validation images (default: 0.001)"
    add("--error_rate", type=number_up_to(1), default=0.001, metavar="R", help=rate)
    show = "draw the digits as given and as the model sees them, with the predictions"
    add("--show", type=Path, metavar="PNG", help=show)
    output = parser.add_mutually_exclusive_group()
    output.add_argument("--json", action="store_true", help="print JSON instead of a table")
    output.add_argument("--csv", action="store_true", help="print CSV instead of a table")
    return parser


def _check_picture(picture: Path, files: list[Path]) -> None:
    """Check the path of ``--show`` before anything is read."""
    if picture.suffix.lower() != ".png":
        raise OutputError(f"--show writes a PNG file: {picture} must end with .png")
    if not picture.parent.is_dir():
        raise OutputError(f"--show: there is no folder {picture.parent}: name one that exists")
    if picture.resolve() in {file.resolve() for file in files}:
        raise OutputError(f"--show would overwrite the input {picture}: name another file")


def _read(files: list[Path], invert: Invert) -> tuple[list[InputDigit], dict[str, str]]:
    """Read all files; report those that fail at once and continue with the others."""
    from mnist_lightning.handwriting.decoding import Decoder
    from mnist_lightning.handwriting.inputs import read_digits

    inputs: list[InputDigit] = []
    failed: dict[str, str] = {}

    def read(path: Path) -> None:
        try:
            inputs.extend(read_digits(path, invert, decoder))
        except (DataError, OSError) as error:
            failed[str(path)] = str(error)
            print(f"error: {error}", file=sys.stderr)

    with Decoder() as decoder:
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

    from mnist_lightning.export.trained_model import names_of
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
    print(f"Written: {path}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
