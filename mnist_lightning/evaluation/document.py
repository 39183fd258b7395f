"""Dataclasses as JSON files: written in one step, and checked against the schema when read."""

import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from mnist_lightning.errors import OutputError
from mnist_lightning.evaluation.decoding import DecodingError, decode
from mnist_lightning.storage import atomic_path

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
