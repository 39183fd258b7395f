"""Checks of a configuration before it is loaded or used: the file may be untrusted."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from mnist_lightning.errors import UserError
from mnist_lightning.files.limits import ARGUMENT, DEFAULTS, DecodingError, check

MAX_BYTES = 1_000_000
MAX_DEPTH = 30
MAX_LENGTH = 4_200
"""Characters of a value: the longest path, and fewer than Python takes for digits of a number."""


def check_config(path: Path) -> None:
    """Refuse a file that is not a plain mapping of settings, without building objects from it.

    Aliases are refused because a few hundred bytes of them can expand to more than fits into
    memory, deep nesting because it exhausts the stack of the loader.

    Args:
        path: The value of ``--config``.

    Raises:
        UserError: The file is missing, too long, not UTF-8 text, not YAML, not a mapping, nested
            too deeply, or contains aliases or a value of thousands of characters.
    """
    if not path.is_file():
        raise UserError(f"--config: there is no file '{path}'; check its name")
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise UserError(f"--config: '{path}' has more than {MAX_BYTES:,} bytes; give a YAML file")
    try:
        problem = _problem(content.decode("utf-8"))
    except UnicodeDecodeError:
        problem = "is not UTF-8 text; give a YAML file"
    except yaml.YAMLError as error:
        problem = f"is not YAML: {' '.join(str(error).split())[:300]}"
    if problem:
        raise UserError(f"--config: '{path}' {problem}")


def read_configs(paths: Sequence[Path]) -> dict[str, Any]:
    """Read configuration files, of which later ones override single settings of earlier ones.

    Raises:
        UserError: A file is refused, see :func:`check_config`.
    """
    merged: dict[str, Any] = {}
    for path in paths:
        check_config(path)
        merged = _merge(merged, yaml.safe_load(path.read_text(encoding="utf-8")))
    return merged


def _merge(base: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    both = {
        key: _merge(base[key], value)
        for key, value in more.items()
        if isinstance(value, dict) and isinstance(base.get(key), dict)
    }
    return {**base, **more, **both}


def check_values(settings: Any, option: str = "") -> None:
    """Refuse whole numbers that no setting can have, and texts that are not text.

    Args:
        settings: Parsed settings: mappings and lists of values.
        option: Name of the option, without dashes.

    Raises:
        UserError: A value is implausible; the message names its option.
    """
    if isinstance(settings, Mapping):
        for name, value in settings.items():
            check_values(value, f"{option}.{name}" if option else str(name))
    elif isinstance(settings, list | tuple):
        for value in settings:
            check_values(value, option)
    elif isinstance(settings, int | str):
        try:
            check(ARGUMENT if isinstance(settings, str) else DEFAULTS[int], settings, f"--{option}")
        except DecodingError as error:
            raise UserError(str(error)) from None


def _problem(text: str) -> str | None:
    depth, root = 0, True
    # Unlike the loader, the parser of events does not call itself for nested collections.
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            return f"contains the alias *{event.anchor}; write the value out"
        if isinstance(event, yaml.ScalarEvent) and len(event.value) > MAX_LENGTH:
            return f"contains a value of {len(event.value):,} characters; shorten it"
        if isinstance(event, yaml.NodeEvent) and root:
            if not isinstance(event, yaml.MappingStartEvent):
                return "does not hold settings such as 'trainer: {max_epochs: 3}'"
            root = False
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            return f"is nested more than {MAX_DEPTH} levels deep; flatten it"
    return None
