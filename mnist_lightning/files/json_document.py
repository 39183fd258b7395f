"""Dataclasses as JSON files: reading that checks types and ranges, and writing in one step."""

import json
import re
import sys
from collections.abc import Callable
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, TypeGuard, TypeVar, get_args, get_origin, get_type_hints

from mnist_lightning.errors import OutputError
from mnist_lightning.files.limits import ARGUMENT, DEFAULTS, DecodingError, Limit, check
from mnist_lightning.files.regular_file import open_regular
from mnist_lightning.files.storage import atomic_path

MAX_BYTES = 1 << 26
"""Larger documents are refused; a comparison has 0.1 MB."""


def decode(kind: Any, value: object, key: str = "") -> Any:
    """Convert a JSON value to the type that a dataclass field declares.

    Args:
        kind: A dataclass, ``bool``, ``int``, ``float``, ``str``, ``object`` (any JSON value),
            ``X | None``, ``tuple[X, ...]`` or ``dict[str, X]``; ``Annotated`` with the range of a
            scalar or the length of a tuple.
        value: A value returned by ``json.loads``.
        key: Dotted key of the value in the document, for messages.

    Returns:
        An instance of ``kind``.

    Raises:
        DecodingError: A key is missing or unknown, or a value has another type or range.
    """
    if kind is object:
        _check_plain(value, key)
        return value
    if is_dataclass(kind):
        return _decode_dataclass(kind, value, key)
    rule: Limit | None = None
    if get_origin(kind) is Annotated:
        kind, rule = get_args(kind)
    arguments = get_args(kind)
    if NoneType in arguments:
        return None if value is None else decode(arguments[0], value, key)
    if get_origin(kind) is dict and isinstance(value, dict):
        _check_plain(list(value), key)
        return {name: decode(arguments[1], item, f"{key}.{name}") for name, item in value.items()}
    if get_origin(kind) is tuple and isinstance(value, list):
        items = (decode(arguments[0], item, f"{key}[{i}]") for i, item in enumerate(value))
        decoded = tuple(items)
        check(rule, value, key)
        return decoded
    if kind is float and _is_number(value):
        value = float(value)
    # Not isinstance: True is an int in Python, but not a number in JSON.
    elif kind is float or type(value) is not kind:
        raise DecodingError(f"{key or 'the document'} must be {_name(kind)}, not {value!r:.40}")
    check(rule or DEFAULTS.get(kind), value, key)
    return value


def _check_plain(value: Any, key: str) -> None:
    """Check a value that may be of any type, such as a hyperparameter."""
    if isinstance(value, dict | list):
        for item in [*value, *value.values()] if isinstance(value, dict) else value:
            _check_plain(item, key)
    elif isinstance(value, str):
        check(ARGUMENT, value, key)
    else:
        check(DEFAULTS.get(type(value)), value, key)


def _is_number(value: object) -> TypeGuard[int | float]:
    # json.loads reads 1e999 as infinity, and integers that are too large for a float.
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= sys.float_info.max


def _decode_dataclass(kind: Any, value: object, key: str) -> Any:
    if not isinstance(value, dict):
        raise DecodingError(f"{key or 'the document'} must be an object, not {value!r:.40}")
    prefix = f"{key}." if key else ""
    names = [field.name for field in fields(kind)]
    for name in [*names, *value]:
        if name not in value or name not in names:
            problem = "missing" if name in names else "unknown"
            raise DecodingError(f"{prefix}{name} is {problem}")
    types = get_type_hints(kind, include_extras=True)
    return kind(**{name: decode(types[name], value[name], prefix + name) for name in names})


def _name(kind: Any) -> str:
    json_names = {bool: "a boolean", int: "an integer", float: "a number", str: "a string"}
    return json_names.get(kind) or ("a list" if get_origin(kind) is tuple else "an object")


T = TypeVar("T")


def to_json(document: Any) -> str:
    """Format a dataclass as JSON.

    Args:
        document: An instance whose fields are all JSON values.

    Returns:
        JSON in the order of the fields, indented by two spaces, with each list of numbers on one
        line and a newline at the end.

    Raises:
        ValueError: A number is NaN or infinite.
    """
    text = json.dumps(asdict(document), indent=2, allow_nan=False)
    # A JSON string cannot contain a line break, so that only lists of numbers match.
    return re.sub(r"\[\n[\s\d.,eE+-]*\]", _on_one_line, text) + "\n"


def write_document(document: Any, path: Path) -> None:
    """Write a dataclass to a JSON file, which is replaced in one step.

    Args:
        document: An instance whose fields are all JSON values.
        path: Path of the file.

    Raises:
        OSError: The file cannot be written; an existing file stays unchanged.
        ValueError: A number is NaN or infinite.
    """
    text = to_json(document)
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_document(
    kind: type[T],
    path: Path,
    *,
    version: int,
    noun: str,
    remedy: str,
    upgrade: Callable[[dict[str, Any]], None] | None = None,
) -> T:
    """Read a file written by :func:`write_document` and check it against the schema.

    Args:
        kind: The dataclass.
        path: Path of the file.
        version: The ``schema_version`` that this program reads.
        noun: What the file is called in messages, e.g. ``record``.
        remedy: How to make the file, e.g. ``make it with `python scripts/compare.py```.
        upgrade: Converts a document of an older schema version in place, before it is checked;
            None if older versions are not read.

    Returns:
        An instance of ``kind``.

    Raises:
        OutputError: The file is missing, not JSON, of another schema version, or a key in it is
            missing, unknown, or of the wrong type or range. The message ends with the remedy.
    """
    try:
        with open_regular(path, max_bytes=MAX_BYTES, error=OutputError) as file:
            text = file.read().decode("utf-8")
        document = json.loads(text, parse_constant=_refuse_constant)
    except FileNotFoundError:
        raise OutputError(f"There is no {noun} {path}: {remedy}.") from None
    except OSError as error:
        raise OutputError(
            f"The {noun} {path} cannot be read ({error.strerror}): fix that, or {remedy} again."
        ) from None
    except (ValueError, RecursionError) as error:
        raise OutputError(f"{path} is not a JSON file ({error!s:.120}): {remedy} again.") from None
    if upgrade is not None and isinstance(document, dict):
        upgrade(document)
    found = document.get("schema_version") if isinstance(document, dict) else None
    if type(found) is int and found != version:
        raise OutputError(
            f"The {noun} {path} has schema version {found}; this program reads version {version}: "
            f"{remedy} again."
        )
    try:
        decoded: T = decode(kind, document)
    except (DecodingError, RecursionError) as error:
        raise OutputError(f"{path} is not a valid {noun}: {error}; {remedy} again.") from None
    return decoded


def _on_one_line(numbers: re.Match[str]) -> str:
    return " ".join(numbers.group().split()).replace("[ ", "[").replace(" ]", "]")


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")
