"""``python scripts/export.py``: write a trained model as TorchScript, .pt2, ONNX and int8 ONNX.

Nothing heavy is imported before the command line and the folder have been looked at.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_lightning.errors import DataError
from mnist_lightning.terminal.parser import CommandParser, require_name, run_command
from mnist_lightning.terminal.presets import presets_by_model_name

if TYPE_CHECKING:
    from torch import nn

    from mnist_lightning.data.digits import DigitDataset, Digits
    from mnist_lightning.records.record import Record

CHOICES = ("torchscript", "pt2", "onnx", "int8")
CALIBRATION_IMAGES = 500
EXAMPLES = """\
  python scripts/export.py
  python scripts/export.py --model custom_cnn --formats torchscript pt2 onnx
  python scripts/export.py --ckpt_path output/runs/custom_cnn/version_0/checkpoints/best.ckpt
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
    folder, name = arguments.output_dir, arguments.model
    require_name("--model", name)
    preset = presets_by_model_name().get(name, "NAME")

    from mnist_lightning.records.environment import describe_environment
    from mnist_lightning.records.record import read_record

    environment = describe_environment()
    record = read_record(folder / f"{name}_metrics.json", preset)

    from mnist_lightning.export.formats import export_formats, installed_formats
    from mnist_lightning.export.metadata import Source
    from mnist_lightning.export.onnx import missing_packages, require_onnx
    from mnist_lightning.files.storage import check_writable, one_writer
    from mnist_lightning.reporting.export_table import describe_exports
    from mnist_lightning.results import write_card
    from mnist_lightning.terminal.logs import configure_logging

    configure_logging()
    formats = arguments.formats or [*installed_formats(), *(["int8"] * (not missing_packages()))]
    if {"onnx", "int8"} & set(formats):
        require_onnx()
    check_writable(folder, bytes_needed=5 * record.model.file.bytes)
    dataset = _load_images(record, arguments.data_dir)
    network, source_name = _network(arguments.ckpt_path, folder, record, dataset.test)
    source = Source(
        network=network,
        name=source_name,
        record=record,
        test=dataset.test,
        dataset=dataset.name,
        fingerprint=dataset.fingerprint,
        calibration=dataset.train.images[:CALIBRATION_IMAGES],
        environment=environment,
        command=" ".join(["python scripts/export.py", *words]),
    )
    with one_writer(folder, name):
        exports = export_formats(source, formats, folder)
        card = write_card(folder, name)
    print(describe_exports(exports))
    print(f"model card: {card}")
    return 0


def _load_images(record: Record, data_dir: Path | None) -> DigitDataset:
    from mnist_lightning.comparison.loaded_models import load_test_images
    from mnist_lightning.data.embedded import load_embedded

    try:
        return load_test_images(record, data_dir or record.data_dir)
    except DataError as error:
        if data_dir is not None:
            raise
        embedded = load_embedded()
        print(
            f"{error}\nGoing on with {len(embedded.test):,} images of {embedded.name}: the files "
            "are compared on these, and the model may have been trained on some of them.",
            file=sys.stderr,
        )
        return embedded


def _network(
    checkpoint: Path | None, folder: Path, record: Record, test: Digits
) -> tuple[nn.Module, str]:
    from mnist_lightning.export.rebuild import network_from_checkpoint, network_from_exported

    if checkpoint is not None:
        return network_from_checkpoint(record, checkpoint, test), checkpoint.name
    path = folder / record.model.file.name
    return network_from_exported(record, path), path.name


def _parser() -> CommandParser:
    parser = CommandParser(
        "export.py",
        "Write a trained model in other formats, and compare each with the network. The weights "
        "come from the TorchScript file of its record, or from a checkpoint.",
        EXAMPLES,
    )
    parser.add_argument(
        "--model",
        default="custom_cnn",
        metavar="NAME",
        help="prefix of the model's files (default: custom_cnn)",
    )
    parser.add_argument(
        "--formats",
        nargs="+",
        choices=CHOICES,
        metavar="FORMAT",
        help=f"some of {', '.join(CHOICES)} (default: all that can be written with what is "
        "installed); int8 is kept only where it is faster than onnx",
    )
    parser.add_argument(
        "--ckpt_path",
        type=Path,
        metavar="FILE",
        help="take the weights from this checkpoint, best.ckpt of the run that made the record",
    )
    parser.add_output_dir()
    parser.add_data_dir(
        "folder with MNIST (default: where the training found it; without it, 1,000 images that "
        "are installed with the program)"
    )
    return parser
