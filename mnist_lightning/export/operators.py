"""The operators that an untrusted network may use: those that only compute with tensors."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mnist_lightning.errors import UserError

NAMESPACES = frozenset(
    {
        "aten",
        "prim",
        "prims",
        "quantized",
        "_quantized",
        "sparse",
        "mkldnn_prepacked",
        "onednn",
        "torchvision",
    }
)
"""Libraries of operators that compute, in torch and torchvision. Others read and write files
(``image``), send over networks (``c10d``, ``symm_mem``), or take addresses in memory."""

INPUT_OUTPUT = frozenset(
    {
        "aten::from_file",
        "aten::save",
        "aten::_print",
        "prim::Print",
        "prim::PythonOp",
        "prim::IgnoredPythonOp",
        "prim::rpc_async",
        "prim::rpc_sync",
        "prim::rpc_remote",
    }
)
"""Operators of these namespaces that read or write files, print, call Python or other machines."""


class RefusedError(Exception):
    """Something in a file does more than compute; the message names it, but not the file."""


@contextmanager
def refusing(path: Path) -> Iterator[None]:
    """Turn a ``RefusedError`` in the block into a ``UserError`` that names the file."""
    try:
        yield
    except RefusedError as refusal:
        raise UserError(
            f"{path} does more than compute: {refusal}. It was not run; use a file from a source "
            "you trust."
        ) from None


def check_operator(name: str) -> None:
    """Refuse an operator that does input or output.

    Args:
        name: Its name with its namespace, e.g. ``aten::conv2d``.

    Raises:
        RefusedError: It does input or output, or its namespace is not known to compute only.
    """
    if name in INPUT_OUTPUT or name.partition("::")[0] not in NAMESPACES:
        raise RefusedError(f"it uses the operator {name:.80}")
