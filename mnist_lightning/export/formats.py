"""Export a network in several formats, load each file again and compare it on all test images."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from torch import Tensor, nn

from mnist_lightning.data.digits import Digits
from mnist_lightning.errors import OutputError, UserError
from mnist_lightning.evaluation.inference import predict_logits
from mnist_lightning.evaluation.metrics import count_correct
from mnist_lightning.evaluation.parity import ExportParity, measure_parity
from mnist_lightning.export.loading import LOADERS, load_network
from mnist_lightning.export.metadata import ExportSource, Metadata
from mnist_lightning.export.onnx import PACKAGES, export_onnx, missing_packages
from mnist_lightning.export.program import export_program
from mnist_lightning.export.reduced_precision import VARIANTS, try_variant
from mnist_lightning.export.torchscript import (
    ExportedModel,
    check_scriptable,
    export_torchscript,
)
from mnist_lightning.export.tracing import example, plain_copy
from mnist_lightning.export.weights import write_weights
from mnist_lightning.files.identity import describe_file
from mnist_lightning.records.artefacts import EXPORTS, MODEL_SUFFIX, WEIGHTS
from mnist_lightning.records.exported_files import (
    SCHEMA_VERSION,
    ExportedFile,
    Exports,
    ReducedPrecision,
)
from mnist_lightning.records.record import ModelDescription

log = logging.getLogger(__name__)

#: The names of the formats, as options take them, with the suffixes of their files.
FORMATS = {"torchscript": ".pt", "pt2": ".pt2", "onnx": ".onnx"}
# float32 with additions in another order, relative to the largest logit. Logits of less than 10
# are sums of larger numbers.
LARGEST_DIFFERENCE = 1e-4


def installed_formats() -> list[str]:
    """Return the formats that can be written with the packages that are installed."""
    return [name for name in FORMATS if name != "onnx" or not missing_packages()]


def measured_format(network: nn.Module) -> str:
    """Return the format that a record measures: TorchScript, or ``pt2`` where torch has none."""
    try:
        check_scriptable(network)
    except UserError as error:
        log.warning("%s, which is measured instead", error)
        return "pt2"
    return "torchscript"


def export_model(source: ExportSource, folder: Path) -> tuple[ExportedModel, ModelDescription]:
    """Write the two files that a record names: that of its measured format, and the weights.

    Args:
        source: The network.
        folder: Where to write them; older files are replaced, each in one step.

    Returns:
        The first file, loaded again and compared on the test images of ``source``, and the
        description of the network with both files.

    Raises:
        UserError: The network's logits are not finite.
        OSError: A file cannot be written; an older one stays unchanged.
    """
    network, described, metadata = source.network, source.model, source.metadata
    measured = measured_format(network)
    path = folder / f"{described.name}{MODEL_SUFFIX}{FORMATS[measured]}"
    if measured == "torchscript":
        exported = export_torchscript(network, path, source.test.images, metadata)
    else:
        exported = _export_program(source, path)
    weights_path = folder / f"{described.name}{WEIGHTS}"
    known = {
        "file": describe_file(path),
        "weights_file": write_weights(network, weights_path, described, metadata.calibration()),
        "temperature": metadata.temperature,
    }
    return exported, ModelDescription(**{**vars(described), **known})


def _export_program(source: ExportSource, path: Path) -> ExportedModel:
    export_program(source.network, path, source.metadata)
    model, images = load_network(path), source.test.images
    expected, logits = (
        predict_logits(plain_copy(source.network), images),
        predict_logits(model, images),
    )
    title, _ = LOADERS[path.suffix]
    return ExportedModel("pt2", model, logits, expected, measure_parity(title, expected, logits))


def _write_torchscript(network: nn.Module, path: Path, metadata: Metadata) -> None:
    check_scriptable(network)
    export_torchscript(network, path, example(), metadata)


WRITERS = {"torchscript": _write_torchscript, "pt2": export_program, "onnx": export_onnx}


def export_formats(
    source: ExportSource,
    formats: Sequence[str],
    folder: Path,
    exported: ExportedModel | None = None,
    measured: str = "torchscript",
) -> Exports:
    """Write a network in several formats, and describe how well the files agree with it.

    The file that a record measures is never written here, only compared: the record names its
    hash.

    Args:
        source: The network.
        formats: Keys of ``FORMATS`` and of ``VARIANTS``, whose float32 files are written too.
        folder: The folder with the record; older files are replaced, each in one step.
        exported: The measured file if it has just been compared with ``source`` on its test
            images: a second run over all of them takes a ResNet50 minutes.
        measured: The format of the measured file, unless ``exported`` is that file.

    Returns:
        The description, also written to ``<model>_exports.json``.

    Raises:
        UserError: A package is missing.
        OutputError: A file does not agree with the network.
    """
    if exported is not None:
        expected, measured = exported.expected, exported.format
    else:
        expected = predict_logits(plain_copy(source.network), source.test.images)
    needed = {*formats, *(VARIANTS[kind].needs for kind in VARIANTS if kind in formats)}
    files = []
    for format_name in filter(needed.__contains__, FORMATS):
        path = folder / f"{source.model.name}{MODEL_SUFFIX}{FORMATS[format_name]}"
        if format_name != measured:
            WRITERS[format_name](source.network, path, source.metadata)
        elif exported is not None:
            files.append(_describe(path, exported.parity, exported.logits, source.test))
            continue
        files.append(_check(path, expected, source.test))
    reduced = {
        kind: try_variant(kind, source, folder, expected) for kind in VARIANTS if kind in formats
    }
    exports = _describe_all(source, files, reduced)
    exports.write(folder / f"{source.model.name}{EXPORTS}")
    return exports


def _describe_all(
    source: ExportSource, files: Sequence[ExportedFile], reduced: Mapping[str, ReducedPrecision]
) -> Exports:
    here = source.environment
    onnx = any(one.file.name.endswith(FORMATS["onnx"]) for one in files)
    packages = ("torch", *(PACKAGES if onnx else ()))
    return Exports(
        schema_version=SCHEMA_VERSION,
        model=source.model.name,
        source=source.name,
        dataset=source.dataset,
        fingerprint=source.fingerprint,
        commit=here.commit,
        dirty=here.dirty,
        created=here.created,
        command=source.command,
        versions={package: version(package) for package in packages},
        files=tuple(files),
        quantisation=reduced.get("int8"),
        bfloat16=reduced.get("bfloat16"),
    )


def _check(path: Path, expected: Tensor, test: Digits) -> ExportedFile:
    network = load_network(path)
    # A batch of one, as the first user of the file will try it.
    predict_logits(network, test.images[:1])
    logits = predict_logits(network, test.images)
    title, _ = LOADERS[path.suffix]
    parity = measure_parity(title, expected, logits)
    allowed = LARGEST_DIFFERENCE * max(10.0, float(expected.abs().max()))
    if parity.max_abs_difference > allowed:
        raise OutputError(
            f"{path} differs from the network it was made from by {parity.max_abs_difference:.2g} "
            f"in a logit, more than {allowed:.2g}: do not use it; please report this"
        )
    return _describe(path, parity, logits, test)


def _describe(path: Path, parity: ExportParity, logits: Tensor, test: Digits) -> ExportedFile:
    correct = count_correct(logits, test.labels)
    return ExportedFile(describe_file(path), parity, correct, correct / len(test))
