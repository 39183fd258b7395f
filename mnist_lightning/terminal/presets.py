"""The presets: what ``--model NAME`` chooses from, found without importing anything heavy."""

import re
from pathlib import Path

from mnist_lightning.errors import UserError

BASE = "base"
_PACKAGE = Path(__file__).parents[1]
# A wheel has the presets inside the package, a checkout beside it.
_FOLDERS = (_PACKAGE / "configs", _PACKAGE.parent / "configs")


def config_folder() -> Path:
    """Return the folder of the presets, wherever the program is started from."""
    return next(folder for folder in _FOLDERS if (folder / f"{BASE}.yaml").is_file())


def preset_names() -> list[str]:
    """Return the names that ``--model`` takes, in alphabetical order."""
    return sorted(path.stem for path in config_folder().glob("*.yaml") if path.stem != BASE)


def preset_file(name: str) -> Path:
    """Return the configuration that a preset adds to ``base.yaml``.

    Raises:
        UserError: There is no such preset.
    """
    if name not in preset_names():
        raise UserError(f"--model: there is no '{name}'; choose from {', '.join(preset_names())}")
    return config_folder() / f"{name}.yaml"


def description(name: str) -> str:
    """Return the first comment of a preset, which says in one line what it is."""
    return preset_file(name).read_text(encoding="utf-8").splitlines()[0].lstrip("# ")


def expand(args: list[str]) -> list[str]:
    """Replace ``--model NAME`` by its configuration files and put all such files in front.

    The order of precedence then is: base, model, ``--config``, command line, wherever these stand.

    Args:
        args: The command line without the program's name.

    Raises:
        UserError: The model or a file does not exist, or neither is given.
    """
    names: list[str] = []
    files: list[str] = []
    rest: list[str] = []
    words = iter(args)
    for word in words:
        option, equals, value = word.partition("=")
        if option in ("--model", "--config", "-c"):
            value = value if equals else next(words, "")
            (names if option == "--model" else files).append(value)
        else:
            rest.append(word)
    if len(names) > 1:
        raise UserError(f"--model is given {len(names)} times; one training has one model")
    if names == [""]:
        raise UserError(f"--model needs a NAME; choose from {', '.join(preset_names())}")
    if not names and not files:
        raise UserError(f"--model NAME is missing; choose from {', '.join(preset_names())}")
    if files:
        # Not at the top, because help needs no YAML.
        from mnist_lightning.files.config_file import check_config

        for file in files:
            check_config(Path(file))
    presets = [str(config_folder() / f"{BASE}.yaml"), *(str(preset_file(name)) for name in names)]
    return [word for file in [*presets, *files] for word in ("--config", file)] + rest


def presets_by_model_name() -> dict[str, str]:
    """Return the preset that trains each model, by the prefix of the files it leaves."""
    found = {}
    for preset in preset_names():
        text = preset_file(preset).read_text(encoding="utf-8")
        name = re.search(r"^name: *([\w-]+)", text, flags=re.MULTILINE)
        found[name[1] if name else preset] = preset
    return found
