"""From plain JSON values to typed dataclasses; ``dataclasses.asdict`` goes the other way."""

import json
import re
import sys
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from types import NoneType
from typing import Any, TypeGuard, TypeVar, get_args, get_origin, get_type_hints

from mnist_lightning.errors import OutputError
from mnist_lightning.files.storage import atomic_path


class DecodingError(ValueError):
    """A value does not have the type that the dataclass declares; the message names its key."""


def decode(kind: Any, value: object, key: str = "") -> Any:
    """Turn a JSON value into the type that a dataclass field declares.

    Args:
        kind: A dataclass, ``bool``, ``int``, ``float``, ``str``, ``object`` (any JSON value),
            ``X | None``, ``tuple[X, ...]`` or ``dict[str, X]``.
        value: What ``json.loads`` gave.
        key: Dotted key of the value in the document, for messages.

    Returns:
        An instance of ``kind``.

    Raises:
        DecodingError: A key is missing or unknown, or a value has another type.
    """
    if kind is object:
        return value
    if is_dataclass(kind):
        return _decode_dataclass(kind, value, key)
    arguments = get_args(kind)
    if NoneType in arguments:
        return None if value is None else decode(arguments[0], value, key)
    if get_origin(kind) is tuple and isinstance(value, list):
        return tuple(decode(arguments[0], item, f"{key}[{i}]") for i, item in enumerate(value))
    if get_origin(kind) is dict and isinstance(value, dict):
        return {name: decode(arguments[1], item, f"{key}.{name}") for name, item in value.items()}
    if kind is float and _is_number(value):
        return float(value)
    # Not isinstance: in Python, but not in JSON, true is an integer.
    if kind is float or type(value) is not kind:
        raise DecodingError(f"{key or 'the document'} must be {_name(kind)}, not {value!r:.40}")
    return value


def _is_number(value: object) -> TypeGuard[int | float]:
    # json.loads reads 1e999 as infinity, and integers that no float can hold.
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= sys.float_info.max


def _decode_dataclass(kind: Any, value: object, key: str) -> Any:
    if not isinstance(value, dict):
        raise DecodingError(f"{key or 'the document'} must be an object, not {value!r:.40}")
    prefix = f"{key}." if key else ""
    names = [field.name for field in fields(kind)]
    for name in names:
        if name not in value:
            raise DecodingError(f"{prefix}{name} is missing")
    for name in value:
        if name not in names:
            raise DecodingError(f"{prefix}{name} is unknown")
    types = get_type_hints(kind)
    return kind(**{name: decode(types[name], value[name], prefix + name) for name in names})


def _name(kind: Any) -> str:
    json_names = {bool: "a boolean", int: "an integer", float: "a number", str: "a string"}
    return json_names.get(kind) or ("a list" if get_origin(kind) is tuple else "an object")


T = TypeVar("T")


def to_json(document: Any) -> str:
    """Format a dataclass.

    Args:
        document: An instance, of whose fields JSON can hold all.

    Returns:
        JSON in the order of the fields, indented by two spaces, lists of numbers on one line
        each, with a newline at the end.

    Raises:
        ValueError: A number is not finite.
    """
    text = json.dumps(asdict(document), indent=2, allow_nan=False)
    # A JSON string cannot hold a line break, so that this only meets lists of numbers.
    return re.sub(r"\[\n[\s\d.,eE+-]*\]", _on_one_line, text) + "\n"


def write_document(document: Any, path: Path) -> None:
    """Write a dataclass to a JSON file, which is replaced in one step.

    Args:
        document: An instance, of whose fields JSON can hold all.
        path: Where to.

    Raises:
        OSError: The file cannot be written; the old one is left as it was.
        ValueError: A number is not finite.
    """
    text = to_json(document)
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_document(kind: type[T], path: Path, *, version: int, noun: str, remedy: str) -> T:
    """Read what :func:`write_document` wrote and check it against the schema.

    Args:
        kind: The dataclass.
        path: The file.
        version: The ``schema_version`` that this program reads.
        noun: What the file is, for messages, e.g. ``record``.
        remedy: How to make it, e.g. ``make it with `python scripts/compare.py```.

    Returns:
        An instance of ``kind``.

    Raises:
        OutputError: The file is missing, not JSON, of another schema version, or a key in it is
            missing, unknown or of the wrong type. The message ends with the remedy.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except FileNotFoundError:
        raise OutputError(f"There is no {noun} {path}: {remedy}.") from None
    except OSError as error:
        raise OutputError(
            f"The {noun} {path} cannot be read ({error.strerror}): mend that, or {remedy} again."
        ) from None
    except (ValueError, RecursionError) as error:
        raise OutputError(f"{path} is not a JSON file ({error}): {remedy} again.") from None
    found = document.get("schema_version") if isinstance(document, dict) else None
    if type(found) is int and found != version:
        raise OutputError(
            f"The {noun} {path} has schema version {found}; this program reads version {version}: "
            f"{remedy} again."
        )
    try:
        decoded: T = decode(kind, document)
    except DecodingError as error:
        raise OutputError(f"{path} is not a sound {noun}: {error}; {remedy} again.") from None
    return decoded


def _on_one_line(numbers: re.Match[str]) -> str:
    return " ".join(numbers.group().split()).replace("[ ", "[").replace(" ]", "]")


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")
