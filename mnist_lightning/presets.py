"""The presets that ``--model NAME`` chooses from, found without importing anything heavy."""

from pathlib import Path

from mnist_lightning.errors import UserError

BASE = "base"
_PACKAGE = Path(__file__).parent
# A wheel carries the presets inside the package; in a checkout they stand beside it.
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
