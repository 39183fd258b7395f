"""TorchScript: a ``.pt`` file that runs without this project, from Python, C++ or a phone."""

import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mnist_lightning.errors import UserError
from mnist_lightning.evaluation.inference import predict_logits
from mnist_lightning.evaluation.parity import ExportParity, measure_parity
from mnist_lightning.export.metadata import METADATA_FILE, Metadata
from mnist_lightning.export.operators import RefusedError, check_operator, refusing
from mnist_lightning.export.tracing import CheckedInput, plain_copy, quiet_torch
from mnist_lightning.files.archives import pack_members, read_members
from mnist_lightning.files.storage import atomic_path

_MEMBERS = re.compile(
    r"(data|constants|traced_inputs)(\.pkl|/\d+)|code/[\w/]+\.py(\.debug_pkl)?"
    r"|version|byteorder|\.[\w/]+|extra/[\w./-]+"
)
_CLASS = re.compile(rb"torch\s*\.?\s*classes\s*\.?\s*(\w+)")
#: Namespaces of the classes, written in C++, that contain packed weights.
_CLASSES = (b"quantized", b"rnn", b"sparse", b"xnnpack")


@dataclass(frozen=True)
class ExportedModel:
    """An exported file, loaded again and compared with the network it was made from.

    Attributes:
        format: Its name, as options take it.
        model: The loaded file: uint8 ``(N, 1, 28, 28)`` to float32 ``(N, 10)``.
        logits: float32 ``(N, 10)``, of the file for the images of the comparison.
        expected: float32 ``(N, 10)``, of the network for the same images.
        parity: How far the two differ.
    """

    format: str
    model: nn.Module
    logits: Tensor
    expected: Tensor
    parity: ExportParity


def export_torchscript(
    network: nn.Module, path: Path, images: Tensor, metadata: Metadata | None = None
) -> ExportedModel:
    """Write a network as TorchScript, load the file again and compare the two.

    The file holds the network in float32 and evaluation mode, with batch normalisation folded into
    the convolutions and their weights in channels_last layout, which is up to twice as fast on a
    CPU. It refuses input that is not uint8 of shape ``(N, 1, 28, 28)``.

    Args:
        network: uint8 ``(N, 1, 28, 28)`` to float32 ``(N, 10)``, scriptable.
        path: Where to write it; an older file is replaced in one step.
        images: uint8 ``(N, 1, 28, 28)``, on which the file is compared with the network.
        metadata: The file's description of itself, stored as its extra file ``metadata.json``.

    Raises:
        UserError: The file's logits are not finite.
        OSError: The file cannot be written; an older one stays unchanged.
    """
    network = plain_copy(network)
    write_torchscript(network, path, metadata)
    model = load_torchscript(path)
    expected, logits = predict_logits(network, images), predict_logits(model, images)
    parity = measure_parity("TorchScript", expected, logits)
    return ExportedModel("torchscript", model, logits, expected, parity)


def write_torchscript(network: nn.Module, path: Path, metadata: Metadata | None) -> None:
    """Write a network as TorchScript, as it is, with a check of its input.

    Args:
        network: uint8 ``(N, 1, 28, 28)`` to float32 ``(N, 10)``, scriptable.
        path: See :func:`export_torchscript`.
        metadata: See :func:`export_torchscript`.

    Raises:
        OSError: The file cannot be written; an older one stays unchanged.
    """
    with quiet_torch():
        frozen = torch.jit.freeze(torch.jit.script(CheckedInput(network).eval()))
        with atomic_path(path) as temporary:
            extra = {METADATA_FILE: metadata.to_json()} if metadata else {}
            # In memory first: torch would turn a full disk into an error without its reason.
            content = io.BytesIO()
            torch.jit.save(frozen, content, _extra_files=extra)
            temporary.write_bytes(content.getbuffer())


def check_scriptable(network: nn.Module) -> None:
    """Check that the installed torch can turn a network into TorchScript.

    Raises:
        UserError: It cannot; the message names the alternative.
    """
    try:
        with quiet_torch():
            torch.jit.script(CheckedInput(plain_copy(network)))
    except Exception as error:  # whatever a torch without TorchScript raises
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise UserError(
            f"torch {torch.__version__} cannot write TorchScript ({reason:.100}); install an older "
            "torch, or use the .pt2 file"
        ) from error


def load_torchscript(path: Path) -> torch.jit.ScriptModule:
    """Load an exported model onto the CPU, if it does nothing but compute.

    TorchScript is a programming language with operators that read, create and overwrite files. Any
    network from any source is loaded as long as it uses none of them.

    Args:
        path: A file written by ``export_torchscript``, or another one.

    Returns:
        The model, uint8 ``(N, 1, 28, 28)`` to float32 ``(N, 10)``.

    Raises:
        UserError: The file would unpack to far more than its own size, contains something that a
            model does not need, or uses an operator that does input or output.
        Exception: It is damaged or something else; torch and zipfile raise many kinds of errors.
    """
    members = read_members(path, _MEMBERS)
    with refusing(path):
        for name, content in members.items():
            if name.endswith((".py", ".pkl")):
                _check_code(content)
    # What was checked is packed again: torch has another reader of zip archives, which could find
    # other members in the same file.
    content = pack_members(members, "archive").getvalue()
    with quiet_torch():
        # As torch.jit.load does it, but keeping the functions of the file to check them.
        unit: Any = torch._C.CompilationUnit()
        read: Any = torch._C.import_ir_module_from_buffer
        module = read(unit, content, torch.device("cpu"), {}, False)
        with refusing(path):
            for function in unit.get_functions():
                _check_graph(function.graph)
        wrap: Any = torch.jit._recursive.wrap_cpp_module
        model: torch.jit.ScriptModule = wrap(module)
    return model


def _check_code(content: bytes) -> None:
    """Refuse what torch runs while it loads a file: methods that set the state of an object."""
    if b"__setstate__" in content:
        raise RefusedError("it runs code while it is loaded (__setstate__)")
    for found in _CLASS.finditer(content):
        if found[1] not in _CLASSES:
            raise RefusedError(f"it uses the class torch.classes.{found[1].decode():.80}")


def _check_graph(graph: Any) -> None:
    """Check the operators of a graph, and of all blocks and graphs inside it."""
    for node in graph.nodes():
        check_operator(node.kind())
        for inner in node.blocks():
            _check_graph(inner)
        for name in node.attributeNames():
            if node.kindOf(name) == "g":
                _check_graph(node.g(name))
