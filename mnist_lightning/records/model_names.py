"""Resolves the values of ``--model``, ``--file`` and similar options to models and their files."""

import logging
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from mnist_lightning.errors import OutputError, UserError
from mnist_lightning.records.artefacts import (
    ENSEMBLE_SUFFIX,
    MODEL_SUFFIX,
    NETWORK_SUFFIXES,
    PUBLISHED,
    RECORD,
    find_readers,
    model_file,
)
from mnist_lightning.terminal.parser import require_name
from mnist_lightning.terminal.presets import model_name, preset_names, presets_by_model_name

log = logging.getLogger(__name__)


def model_of(option: str, given: str, output_dir: Path) -> str:
    """Return the model that a name means: a prefix of files, or the preset that trains it.

    Args:
        option: The option with the name, for messages.
        given: E.g. ``custom_cnn`` or ``cnn``. If there are files of exactly this name in the output
            folder, it means those.
        output_dir: The output folder.

    Raises:
        UserError: It is a path.
    """
    require_name(option, given)
    return given if (output_dir / f"{given}{RECORD}").is_file() else model_name(given)


def models_of(given: Sequence[str], output_dir: Path) -> list[str]:
    """Return the models that the names of ``--models`` mean, as ``model_of`` does.

    Raises:
        UserError: A name is a path, or two mean the same model.
    """
    names = [model_of("--models", name, output_dir) for name in given]
    if len(set(names)) < len(names):
        raise UserError(f"--models names a model twice: {' '.join(given)}; name each once")
    return names


def files_of_models(
    names: Sequence[str], files: Sequence[Path], output_dir: Path, most: int | None = None
) -> list[Path]:
    """Return the files that ``--model`` and ``--file`` mean, and log which ones are published.

    Args:
        names: Names of models, as for ``model_of``, or paths of files, for which ``--file`` exists.
        files: Paths of files.
        output_dir: The output folder; a model that is not in it is among the published results.
        most: Number of models to take if none is named; None for all of the output folder or, if
            there are none, all published ones.

    Returns:
        The files of the names, then the others, at least one. A path may not exist.

    Raises:
        OutputError: There is no model of a name, or no model at all.
    """
    found = [_file_of_model(name, output_dir) for name in names]
    if not names and not files:
        found = (find_readers(output_dir) or find_readers(output_dir / PUBLISHED))[:most]
        if not found:
            raise OutputError(
                f"There is no trained model in {output_dir}: train one with "
                "`python scripts/train.py --model cnn`, or name a file with --file."
            )
    report_published(found, output_dir)
    return [*found, *files]


def _file_of_model(given: str, output_dir: Path) -> Path:
    path = Path(given)
    if not is_path(given):
        return file_of_model("--model", given, output_dir)
    if path.is_file():
        file = shlex.quote(given)
        print(f"hint: --model takes a name; for a file, use --file {file}", file=sys.stderr)
    return path


def is_path(given: str) -> bool:
    """Return whether a value is the path of a model file rather than the name of a model."""
    path = Path(given)
    return path.name != given or path.suffix in NETWORK_SUFFIXES


def file_of_model(option: str, given: str, output_dir: Path) -> Path:
    """Return the exported file of a model, the user's own or else the published one.

    Args:
        option: The option with the name, for messages.
        given: A name, as for ``model_of``.
        output_dir: The output folder.

    Raises:
        OutputError: There is none.
    """
    model = model_of(option, given, output_dir)
    folders = (output_dir, output_dir / PUBLISHED)
    for found in (model_file(folder, model) for folder in folders):
        if found.is_file():
            return found
    raise OutputError(
        f"{option}: there is no trained model '{given}' in {output_dir}: {_remedy(option, model)}."
    )


def _remedy(option: str, model: str) -> str:
    presets = presets_by_model_name()
    file = "--file" if option == "--model" else f"{option} PATH"
    if preset := presets.get(model):
        return f"train it with `python scripts/train.py --model {preset}`"
    if preset := presets.get(model.removesuffix(ENSEMBLE_SUFFIX)):
        return (
            f"make it with `python scripts/train.py --model {preset} --seeds 0 1 2 3 4` and "
            f"`python scripts/ensemble.py --model {preset}`, or name a file with {file}"
        )
    return (
        "name a model that was trained there, one of those that `python scripts/train.py "
        f"--model NAME` trains ({', '.join(preset_names())}), or a file with {file}"
    )


def report_published(files: Sequence[Path], output_dir: Path) -> None:
    """Log which files are those of the published results."""
    published = output_dir / PUBLISHED
    names = [file.stem.removesuffix(MODEL_SUFFIX) for file in files if file.parent == published]
    if names:
        log.info("published results are used, from %s: %s", published, ", ".join(names))
