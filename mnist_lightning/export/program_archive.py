"""Checks of a ``.pt2`` file before it is loaded: torch runs Python that such a file contains.

``torch.export.load`` unpickles inputs, weights and constants, executes the text of guards and
evaluates that of symbolic shapes, calls whatever in ``torch`` a node names, imports the modules
that the structure of the inputs names, loads compiled libraries, and writes names into source code
that it executes. All of this is refused, or removed where a network does not need it.
"""

import io
import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from mnist_lightning.export.operators import RefusedError, check_operator, refusing
from mnist_lightning.files.archives import pack_members, read_members

_PROGRAM = "models/model.json"
_OLD_PROGRAM = "serialized_exported_program.json"
# The last two lines are the format of torch before 2.8.
_MEMBERS = re.compile(
    r"archive_format|archive_version|byteorder|\.data/\w+|models/model\.json|extra/[\w./-]+"
    r"|data/weights/(weight_\d+|model_weights_config\.json)"
    r"|data/constants/(tensor_\d+|model_constants_config\.json)|data/sample_inputs/model\.pt"
    r"|version|serialized_exported_program\.json|extra_files/[\w./-]+"
    r"|serialized_(state_dict|constants|example_inputs)\.pt"
)
_OPERATOR = re.compile(
    r"torch\.ops\.(?P<namespace>\w+)\.(?P<name>\w+)(\.\w+)?"
    r"|_operator\.(add|sub|mul|truediv|floordiv|mod|neg|eq|ne|lt|le|gt|ge|and_|or_|getitem)"
    r"|torch\.sym_(int|float|max|min|not|ite|sum|sqrt)|math\.(ceil|floor|trunc|sqrt)"
)
#: Operators that run a part of the graph, such as what was inside of ``torch.no_grad``.
_BLOCKS = ("cond", "wrap_with_set_grad_enabled", "wrap_with_autocast")
_EXPRESSION = re.compile(
    r"(\b(Symbol|Integer|Rational|Add|Mul|Max|Min|Mod|FloorDiv|positive|nonnegative|integer|True)\b"
    r"|'[a-z]+\d*'|\b\d{1,18}\b|[(),= -])*"
)
_NAME = re.compile(r"[\w.]*")
#: Patterns of strings that are not names, by the key of their mapping.
_PATTERNS = {
    "target": _OPERATOR,
    "as_operator": _OPERATOR,
    "expr_str": _EXPRESSION,
    "torch_version": re.compile(r"[\w.+<=-]*"),
    "as_float": re.compile(r"-?\w*"),
    # A value for an operator, which torch quotes.
    "as_string": re.compile(r"(?s).*"),
    "as_strings": re.compile(r"(?s).*"),
}
_STRUCTURES = ("builtins.tuple", "builtins.list", "builtins.dict", None)


def checked_program(path: Path) -> io.BytesIO:
    """Read a ``.pt2`` file of any origin, and return what ``torch.export.load`` may load.

    Raises:
        UserError: The file would unpack to far more than its own size, or contains something that
            runs code or does input or output; the message names it.
        Exception: The file is damaged; zipfile, json and torch raise many kinds of errors.
    """
    members = read_members(path, _MEMBERS)
    with refusing(path):
        for name, content in members.items():
            if name in (_PROGRAM, _OLD_PROGRAM):
                document = json.loads(content)
                _check_program(document)
                members[name] = json.dumps(document).encode()
            elif name.endswith("_config.json"):
                _check_payloads(name.rpartition("/")[0], json.loads(content), members)
            elif name.endswith(".pt"):
                members[name] = _only_tensors(name, content)
    # Packed again: torch has another reader of zip archives, which could find other members.
    return pack_members(members, "model" if _PROGRAM in members else "")


def _only_tensors(name: str, content: bytes) -> bytes:
    """Unpickle tensors and pickle them again: torch unpickles anything if tensors alone fail."""
    try:
        tensors = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception:  # damaged bytes can make an unpickler raise nearly anything
        raise RefusedError(f"{name} is a pickle of more than tensors") from None
    buffer = io.BytesIO()
    torch.save(tensors, buffer)
    return buffer.getvalue()


def _check_payloads(folder: str, document: Any, members: Mapping[str, bytes]) -> None:
    """Check the table of the weights or the constants, which are bytes or pickles."""
    for name, entry in document["config"].items():
        if entry["use_pickle"] or entry["tensor_meta"] is None:
            raise RefusedError(f"{folder} has the pickle {name!r:.40}")
        values = math.prod(size["as_int"] for size in entry["tensor_meta"]["sizes"])
        # Empty files stand for tensors of zeros, of any size.
        if values > len(members[f"{folder}/{entry['path_name']}"]):
            raise RefusedError(f"{folder} has fewer bytes than values of {name!r:.40}")
    _check_strings(document)


def _check_program(document: Any) -> None:
    """Check the graph of a program, and remove from it what only debuggers read."""
    if document.get("guards_code"):
        raise RefusedError("it has guards, which are Python code")
    if document["graph_module"].get("treespec_namedtuple_fields"):
        raise RefusedError("it has types of its own")
    _check_strings(document)


def _check_strings(value: Any, key: str = "") -> None:
    """Check all texts: torch writes them into source code, or evaluates them as such."""
    if isinstance(value, dict):
        if "metadata" in value and ("target" in value or "graph" in value):
            value["metadata"] = {}
        for name, inner in value.items():
            _check_text(name, _NAME, "a name")
            _check_strings(inner, name)
    elif isinstance(value, list):
        for inner in value:
            _check_strings(inner, key)
    elif isinstance(value, str) and key in ("in_spec", "out_spec"):
        _check_structure(json.loads(value)[1])
    elif isinstance(value, str):
        _check_text(value, _PATTERNS.get(key, _NAME), key)


def _check_text(text: str, pattern: re.Pattern[str], key: str) -> None:
    found = pattern.fullmatch(text)
    if not found:
        raise RefusedError(f"{text!r:.60} stands for {key}")
    if pattern is _OPERATOR and found["namespace"]:
        if found["namespace"] == "higher_order" and found["name"] in _BLOCKS:
            return
        check_operator(f"{found['namespace']}::{found['name']}")


def _check_structure(structure: Any) -> None:
    """Check the description of nested containers: of other types torch imports the modules."""
    if structure["type"] not in _STRUCTURES or structure["context"] not in ("null", "[]", None):
        raise RefusedError(f"its inputs or outputs are {structure['type']!r:.40}")
    for child in structure["children_spec"]:
        _check_structure(child)
