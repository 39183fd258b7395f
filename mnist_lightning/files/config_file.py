"""A look at a configuration file before it is loaded, since it may come from a stranger."""

from pathlib import Path

import yaml

from mnist_lightning.errors import UserError

MAX_BYTES = 1_000_000
MAX_DEPTH = 30


def check_config(path: Path) -> None:
    """Refuse what is no plain mapping of settings, without building anything from it.

    Aliases are refused because a few hundred bytes of them unfold into more than fits into memory,
    and deep nesting because it exhausts the stack of the loader.

    Raises:
        UserError: The file is missing, too long, not text, not YAML, no mapping, nested too
            deeply, or holds aliases.
    """
    if not path.is_file():
        raise UserError(f"--config: there is no file '{path}'")
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise UserError(f"--config: '{path}' has more than {MAX_BYTES:,} bytes; give one of YAML")
    try:
        problem = _problem(content.decode("utf-8"))
    except UnicodeDecodeError:
        problem = "is not text in UTF-8; give a file of YAML"
    except yaml.YAMLError as error:
        problem = f"is not YAML: {' '.join(str(error).split())[:300]}"
    if problem:
        raise UserError(f"--config: '{path}' {problem}")


def _problem(text: str) -> str | None:
    depth, root = 0, True
    # Events come one by one, out of a loop that does not call itself.
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            return f"holds the alias *{event.anchor}; write the value out"
        if isinstance(event, yaml.NodeEvent) and root:
            if not isinstance(event, yaml.MappingStartEvent):
                return "does not hold settings such as 'trainer: {max_epochs: 3}'"
            root = False
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            return f"is nested more than {MAX_DEPTH} deep; settings are not"
    return None
