"""The models that are compared: those that are named, or all that are complete."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_lightning.errors import OutputError
from mnist_lightning.records.artefacts import (
    BASELINE,
    PUBLISHED,
    RECORD,
    SECOND,
    complete_files,
    folder_of,
    table_order,
)
from mnist_lightning.records.model_names import models_of
from mnist_lightning.terminal.presets import presets_by_model_name

if TYPE_CHECKING:
    from mnist_lightning.records.record import DatasetDescription

log = logging.getLogger(__name__)


def choose_models(output_dir: Path, names: Sequence[str] | None) -> dict[str, str]:
    """Choose the models to compare.

    Args:
        output_dir: Folder of the artefacts; what is not in it is looked for among the published
            results.
        names: The models' names, the baseline first; None takes every complete model of the same
            dataset as the first.

    Returns:
        The value of ``--model`` that trains each model, by the model's name, the baseline first.

    Raises:
        UserError: A name is given twice or contains a path.
        OutputError: There are fewer than two models.
    """
    presets = presets_by_model_name()
    if names is None:
        names = _complete(output_dir)
        published = output_dir / PUBLISHED
        names += [name for name in _complete(published, quiet=True) if name not in names]
        names = _of_one_dataset(output_dir, sorted(names, key=table_order))
    else:
        names = models_of(names, output_dir)
    if len(names) < 2:
        raise OutputError(_too_few(output_dir, names, presets))
    return {name: presets.get(name, "NAME") for name in names}


def _of_one_dataset(output_dir: Path, names: list[str]) -> list[str]:
    """Leave out published models that were tested on another dataset than the user's own."""
    if all(folder_of(output_dir, name) == output_dir for name in names):
        return names
    from mnist_lightning.records.record import read_record

    def dataset(name: str) -> DatasetDescription:
        return read_record(folder_of(output_dir, name) / f"{name}{RECORD}").dataset

    own = [name for name in names if folder_of(output_dir, name) == output_dir]
    wanted = dataset((own or names)[0])
    kept = []
    for name in names:
        found = dataset(name)
        if name in own or found.fingerprint == wanted.fingerprint:
            kept.append(name)
        else:
            log.info(
                "leaving out the published %s: it was tested on %s, your models on %s",
                name,
                found.label,
                wanted.label,
            )
    return kept


def _complete(output_dir: Path, *, quiet: bool = False) -> list[str]:
    """List the models whose files are all there, and name the others unless told to be quiet."""
    complete = []
    for path in output_dir.glob(f"*{RECORD}"):
        name = path.name.removesuffix(RECORD)
        missing = [file.name for file in complete_files(output_dir, name) if not file.is_file()]
        if missing and not quiet:
            lost = ", ".join(missing)
            log.info("leaving out %s: %s has no %s", name, output_dir, lost)
        if not missing:
            complete.append(name)
    return sorted(complete, key=table_order)


def _too_few(output_dir: Path, names: Sequence[str], presets: dict[str, str]) -> str:
    wanted = [name for name in (BASELINE, SECOND) if name not in names][: 2 - len(names)]
    commands = " and ".join(
        f"`python scripts/train.py --model {presets.get(name, name)}`" for name in wanted
    )
    found = f"only '{names[0]}'" if names else "no complete record"
    return f"A comparison needs two models, and {output_dir} has {found}: run {commands}."
