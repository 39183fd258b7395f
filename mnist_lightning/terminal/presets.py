"""The presets of ``--model NAME``, found without importing torch or YAML."""

import re
from collections.abc import Sequence
from pathlib import Path

from mnist_lightning.errors import UserError

BASE = "base"
_PACKAGE = Path(__file__).parents[1]
# A wheel contains the presets inside the package, a checkout next to it.
_FOLDERS = (_PACKAGE / "configs", _PACKAGE.parent / "configs")


def config_folder() -> Path:
    """Return the folder of the presets, independent of the working directory."""
    return next(folder for folder in _FOLDERS if (folder / f"{BASE}.yaml").is_file())


def preset_names() -> list[str]:
    """Return the names that ``--model`` takes, in alphabetical order."""
    return sorted(path.stem for path in config_folder().glob("*.yaml") if path.stem != BASE)


def preset_file(name: str) -> Path:
    """Return the configuration that a preset adds to ``base.yaml``.

    Args:
        name: The preset's name, or that of the model that it trains.

    Raises:
        UserError: There is no such preset.
    """
    preset = preset_name(name)
    if preset not in preset_names():
        raise UserError(f"--model: there is no '{name}'; choose from {', '.join(preset_names())}")
    return config_folder() / f"{preset}.yaml"


def preset_name(name: str) -> str:
    """Return the preset that trains a model, e.g. ``cnn`` for ``custom_cnn``; else the name."""
    return name if name in preset_names() else presets_by_model_name().get(name, name)


def model_name(name: str) -> str:
    """Return the model that a preset trains, e.g. ``custom_cnn`` for ``cnn``; else the name."""
    models = {preset: model for model, preset in presets_by_model_name().items()}
    return models.get(name, name)


def description(name: str) -> str:
    """Return the description of a preset, which is its first comment."""
    return preset_file(name).read_text(encoding="utf-8").splitlines()[0].lstrip("# ")


def take_option(args: Sequence[str], *names: str) -> tuple[list[str], list[str]]:
    """Split an option, as ``NAME VALUE`` or ``NAME=VALUE``, from the rest of a command line.

    Args:
        args: The arguments of the command line.
        names: The names of the option, with dashes.

    Returns:
        The values, one for each time that the option is given, and the other arguments.
    """
    values, rest = [], []
    remaining = iter(args)
    for argument in remaining:
        name, equals, value = argument.partition("=")
        if name in names:
            values.append(value if equals else next(remaining, ""))
        else:
            rest.append(argument)
    return values, rest


def expand(args: list[str]) -> list[str]:
    """Replace ``--model NAME`` by its configuration files, and move all files to the front.

    Later settings override earlier ones: base, model, ``--config``, then all other options,
    regardless of their order on the command line.

    Args:
        args: The arguments of the command line.

    Raises:
        UserError: The model or a file does not exist, or neither is given.
    """
    names, rest = take_option(args, "--model")
    files, rest = take_option(rest, "--config", "-c")
    if len(names) > 1:
        raise UserError(f"--model is given {len(names)} times; give it once")
    if names == [""]:
        raise UserError(f"--model needs a NAME; choose from {', '.join(preset_names())}")
    if not names and not files:
        raise UserError(f"--model NAME is missing; choose from {', '.join(preset_names())}")
    if files:
        # Imported here because --help does not need YAML.
        from mnist_lightning.files.config_file import check_config

        for file in files:
            check_config(Path(file))
    presets = [str(config_folder() / f"{BASE}.yaml"), *(str(preset_file(name)) for name in names)]
    return [part for file in [*presets, *files] for part in ("--config", file)] + rest


def presets_by_model_name() -> dict[str, str]:
    """Return the preset of each model, by the prefix of the model's files."""
    found = {}
    for preset in preset_names():
        text = (config_folder() / f"{preset}.yaml").read_text(encoding="utf-8")
        name = re.search(r"^name: *([\w-]+)", text, flags=re.MULTILINE)
        found[name[1] if name else preset] = preset
    return found
