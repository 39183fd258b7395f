"""``python scripts/export.py``: write a trained model in other formats."""

from __future__ import annotations

import logging
import shlex
import sys
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_lightning.errors import DataError
from mnist_lightning.records.artefacts import BASELINE, RECORD, WEIGHTS
from mnist_lightning.records.model_names import model_of
from mnist_lightning.terminal.parser import CommandParser, run_command
from mnist_lightning.terminal.presets import presets_by_model_name

if TYPE_CHECKING:
    from torch import nn

    from mnist_lightning.data.digits import DigitDataset
    from mnist_lightning.export.metadata import ExportSource
    from mnist_lightning.records.record import Record

log = logging.getLogger(__name__)

CHOICES = ("torchscript", "pt2", "onnx", "int8", "bfloat16")
CALIBRATION_IMAGES = 500
EXAMPLES = """\
  python scripts/export.py
  python scripts/export.py --model cnn --formats torchscript pt2 onnx
  python scripts/export.py --ckpt_path output/runs/custom_cnn/version_0/checkpoints/last.ckpt
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: The command line without the program's name; None takes that of the process.

    Returns:
        The exit status: 0, 2 after an error that the user can fix, 130 after Ctrl-C.
    """
    args = list(sys.argv[1:] if argv is None else argv)
    return run_command(lambda: _run(_parser().parse_args(args), args))


def _run(arguments: Namespace, argv: list[str]) -> int:
    folder = arguments.output_dir
    name = model_of("--model", arguments.model, folder)
    preset = presets_by_model_name().get(name, "NAME")

    from mnist_lightning.records.record import read_record

    record = read_record(folder / f"{name}{RECORD}", preset)

    from mnist_lightning.export.bfloat16 import require_cnn
    from mnist_lightning.export.formats import FORMATS, export_formats, export_model
    from mnist_lightning.export.onnx import require_onnx
    from mnist_lightning.files.storage import check_writable, one_writer
    from mnist_lightning.reporting.export_table import describe_exports
    from mnist_lightning.results import write_card
    from mnist_lightning.terminal.logs import configure_logging

    configure_logging(arguments.log_level)
    suffix = Path(record.model.file.name).suffix
    measured = next((one for one, end in FORMATS.items() if end == suffix), "torchscript")
    if {"onnx", "int8"} & set(arguments.formats or ()):
        require_onnx()
    check_writable(folder, bytes_needed=5 * record.model.file.bytes)
    source = _source(record, arguments, f"python scripts/export.py {shlex.join(argv)}".rstrip())
    formats = arguments.formats or _possible_formats(measured, source.network)
    if "bfloat16" in formats:
        require_cnn(source.network)
    log.info("Exporting %s to %s, each compared with the network ...", name, ", ".join(formats))
    with one_writer(folder, name):
        if arguments.ckpt_path is not None and measured in formats:
            # The record names these files.
            exported, model = export_model(source, folder)
            measured = exported.format
            new = replace(record, model=model, export=exported.parity)
            new.write(folder / f"{name}{RECORD}")
        exports = export_formats(source, formats, folder, measured=measured)
        card = write_card(folder, name)
    print(describe_exports(exports))
    print(f"model card: {card}")
    return 0


def _possible_formats(measured: str, network: nn.Module) -> list[str]:
    from mnist_lightning.export.bfloat16 import contains_cnn
    from mnist_lightning.export.formats import installed_formats

    formats = [one for one in installed_formats() if one != "torchscript" or one == measured]
    if "onnx" in formats:
        formats.append("int8")
    if measured == "torchscript" and contains_cnn(network):
        formats.append("bfloat16")
    return formats


def _source(record: Record, arguments: Namespace, command: str) -> ExportSource:
    from mnist_lightning.export.metadata import ExportSource
    from mnist_lightning.records.environment import describe_environment

    environment = describe_environment()
    dataset = _load_images(record, arguments.data_dir)
    network, path = _network(record, arguments, dataset)
    temperature = record.model.temperature
    if temperature is None:
        log.warning(
            "%s was trained by a version that did not calibrate: softmax of the new files is not "
            "calibrated either; to calibrate, run `%s`.",
            record.model.name,
            record.making_command,
        )
    return ExportSource(
        network=network,
        name=path.name,
        model=record.model,
        trained_on=record.dataset,
        training=record.training,
        accuracy=record.test.accuracy,
        temperature=temperature,
        command=command,
        test=dataset.test,
        dataset=dataset.name,
        fingerprint=dataset.fingerprint,
        calibration=dataset.train.images[:CALIBRATION_IMAGES],
        environment=environment,
    )


def _network(record: Record, arguments: Namespace, dataset: DigitDataset) -> tuple[nn.Module, Path]:
    """Build the calibrated network from the checkpoint or the weights, and name that file."""
    from mnist_lightning.export.temperature import fold
    from mnist_lightning.export.weights import network_from_checkpoint, network_from_weights
    from mnist_lightning.files.identity import check_file

    path, temperature = arguments.ckpt_path, record.model.temperature
    if path is not None:
        network = network_from_checkpoint(record, path, dataset.test)
        return network if temperature is None else fold(network, temperature), path
    path = arguments.output_dir / f"{record.model.name}{WEIGHTS}"
    again = f"make it again with `{record.making_command}`"
    remedy = again if record.members else f"name a checkpoint with --ckpt_path, or {again}"
    check_file(arguments.output_dir, record.model.file, remedy)
    return network_from_weights(record, path, remedy), path


def _load_images(record: Record, data_dir: Path | None) -> DigitDataset:
    from mnist_lightning.comparison.loaded_models import load_dataset_of
    from mnist_lightning.data.embedded import load_embedded

    try:
        return load_dataset_of(record, data_dir or record.data_dir)
    except DataError as error:
        if data_dir is not None:
            raise
        embedded = load_embedded()
        log.warning(
            "%s\nContinuing with %s images of %s: the files are compared on these, and the model "
            "may have been trained on some of them.",
            error,
            f"{len(embedded.test):,}",
            embedded.name,
        )
        return embedded


def _parser() -> CommandParser:
    parser = CommandParser(
        "export.py",
        "Write a trained model in other formats, and compare each file with the network. The "
        "weights come from the model's safetensors file, or from a checkpoint.",
        EXAMPLES,
    )
    add = parser.add_argument
    model = f"the model, e.g. cnn or {BASELINE}, which is the same (default: {BASELINE})"
    add("--model", default=BASELINE, metavar="NAME", help=model)
    formats = f"some of {', '.join(CHOICES)} (default: all whose packages are installed); "
    formats += "int8 and bfloat16 are kept only if they are faster than onnx and torchscript"
    add("--formats", nargs="+", choices=CHOICES, metavar="FORMAT", help=formats)
    checkpoint = "take the weights from this checkpoint, last.ckpt of the run that made the record"
    add("--ckpt_path", type=Path, metavar="FILE", help=checkpoint)
    parser.add_output_dir()
    parser.add_data_dir(
        "folder with MNIST (default: the one of the training; if there is none, 1,000 images that "
        "are installed with the program)"
    )
    parser.add_quiet()
    return parser


if __name__ == "__main__":
    sys.exit(main())
