"""Write a trained network in several formats, load each again and compare it on all test images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from torch import Tensor

from mnist_lightning.data.digits import Digits
from mnist_lightning.errors import OutputError
from mnist_lightning.evaluation.inference import predict_logits
from mnist_lightning.evaluation.parity import ExportParity, measure_parity
from mnist_lightning.export.int8 import try_int8
from mnist_lightning.export.loading import load_network
from mnist_lightning.export.metadata import TRAINING, Source
from mnist_lightning.export.onnx import PACKAGES, export_onnx, missing_packages
from mnist_lightning.export.program import export_program
from mnist_lightning.export.torchscript import ExportedModel, export_torchscript
from mnist_lightning.export.tracing import plain_copy
from mnist_lightning.files.identity import describe_file
from mnist_lightning.records.exported_files import SCHEMA_VERSION, ExportedFile, Exports
from mnist_lightning.records.record import Record

#: The names of the formats as options take them, with the ends of their files.
FORMATS = {"torchscript": ".pt", "pt2": ".pt2", "onnx": ".onnx"}
TITLES = {"torchscript": "TorchScript", "pt2": "torch.export", "onnx": "ONNX"}
# float32 in another order of additions; a logit is about 10.
LARGEST_DIFFERENCE = 1e-3


def installed_formats() -> list[str]:
    """Return the formats that can be written with the packages that are installed."""
    return [name for name in FORMATS if name != "onnx" or not missing_packages()]


def export_formats(
    source: Source, formats: Sequence[str], folder: Path, exported: ExportedModel | None = None
) -> Exports:
    """Write a network in formats, and an account of how well the files agree with it.

    Args:
        source: The network.
        formats: Keys of ``FORMATS``, or ``int8``, which needs the ONNX file and writes it too.
        folder: Where to; older files are replaced, each in one step.
        exported: Its TorchScript file where that has just been written and compared on the test
            images of ``source``: a ResNet50 takes a while to run over them again.

    Returns:
        The account, also written to ``<model>_exports.json``.

    Raises:
        UserError: A package is missing.
        OutputError: A file does not agree with the network.
    """
    name = source.record.model.name
    if exported is not None:
        expected = exported.expected
    else:
        expected = predict_logits(plain_copy(source.network), source.test.images)
    int8 = "int8" in formats
    wanted = [name for name in FORMATS if name in formats or (int8 and name == "onnx")]
    files = []
    for format_name in wanted:
        path = folder / f"{name}_model{FORMATS[format_name]}"
        if format_name == "torchscript" and exported is not None:
            files.append(_describe(path, exported.parity, exported.logits, source.test))
            continue
        _write(format_name, source, path)
        files.append(_check(path, TITLES[format_name], expected, source.test))
    here = source.environment
    exports = Exports(
        schema_version=SCHEMA_VERSION,
        model=name,
        source=source.name,
        dataset=source.dataset,
        fingerprint=source.fingerprint,
        commit=here.commit,
        dirty=here.dirty,
        created=here.created,
        command=source.command,
        versions=_versions(wanted),
        files=tuple(files),
        quantisation=try_int8(source, folder, expected) if int8 else None,
    )
    if source.name not in (TRAINING, f"{name}_model.pt") and "torchscript" in wanted:
        _update_record(source.record, exports, folder)
    exports.write(folder / f"{name}_exports.json")
    return exports


def _write(format_name: str, source: Source, path: Path) -> None:
    if format_name == "pt2":
        export_program(source.network, path, source.metadata)
    elif format_name == "onnx":
        export_onnx(source.network, path, source.metadata)
    elif source.name not in (path.name, TRAINING):
        # From a checkpoint. Otherwise the file is where the weights come from, and its hash is in
        # the record: it stays as it is and is compared like the others.
        export_torchscript(source.network, path, source.test.images, source.metadata)


def _update_record(record: Record, exports: Exports, folder: Path) -> None:
    """Let the record speak of the TorchScript file that has been written from a checkpoint."""
    written = exports.files[0]
    model = replace(record.model, file=written.file)
    replace(record, model=model, export=written.parity).write(
        folder / f"{record.model.name}_metrics.json"
    )


def _check(path: Path, title: str, expected: Tensor, test: Digits) -> ExportedFile:
    network = load_network(path)
    # The smoke call: one image, as whoever tries the file first will do.
    predict_logits(network, test.images[:1])
    logits = predict_logits(network, test.images)
    parity = measure_parity(title, expected, logits)
    if parity.max_abs_difference > LARGEST_DIFFERENCE:
        raise OutputError(
            f"{path} differs from the network it was made from by {parity.max_abs_difference:.2g} "
            f"in a logit, more than {LARGEST_DIFFERENCE:g}: do not use it; please report this"
        )
    return _describe(path, parity, logits, test)


def _describe(path: Path, parity: ExportParity, logits: Tensor, test: Digits) -> ExportedFile:
    correct = int((logits.argmax(1) == test.labels).sum())
    return ExportedFile(describe_file(path), parity, correct, correct / len(test))


def _versions(formats: Sequence[str]) -> dict[str, str]:
    packages = ("torch", *(PACKAGES if "onnx" in formats else ()))
    return {package: version(package) for package in packages}
