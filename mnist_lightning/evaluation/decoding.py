"""From plain JSON values to typed dataclasses; ``dataclasses.asdict`` goes the other way."""

import sys
from dataclasses import fields, is_dataclass
from types import NoneType
from typing import Any, TypeGuard, get_args, get_origin, get_type_hints


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
