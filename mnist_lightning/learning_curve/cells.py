"""A cell of the learning curve: one training and its errors, in a separate JSON file."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock, Timeout

from mnist_lightning.errors import OutputError
from mnist_lightning.files.json_document import read_document, write_document
from mnist_lightning.files.storage import copy_file
from mnist_lightning.learning_curve.arms import TITLES
from mnist_lightning.learning_curve.curve_schema import CURVE_FILE, CURVE_FILES

CELL_VERSION = 1
FOLDER = Path("learning_curve", "cells")
"""The folder of the cells, in the output folder."""

VARYING = ("size", "seed", "steps")
"""The settings in which the cells of one arm differ."""

_REMEDY = "make it with `python scripts/learning_curve.py`"


class CellKey(NamedTuple):
    """What tells the cells apart.

    Attributes:
        arm: Name of the arm.
        size: Number of labelled images.
        seed: Seed of the images, of the initial weights, and of order and augmentation.
    """

    arm: str
    size: int
    seed: int

    def path(self, output_dir: Path) -> Path:
        """Return the path of the cell's file."""
        return output_dir / FOLDER / f"{self.arm}_{self.size}_{self.seed}.json"


@dataclass(frozen=True)
class Cell:
    """The result of one training.

    Attributes:
        schema_version: Version of this schema.
        arm: Name of the arm.
        size: Number of labelled images that it was trained on.
        seed: Seed of the choice of these, of initial weights, order and augmentation.
        tested: Number of test images.
        wrong: Positions of the test images that it reads wrongly, ascending.
        steps: Number of optimiser steps; of L-BFGS, iterations.
        seconds: Wall time of the training, with the features of the images if it uses them.
        weights: What the training started from.
        accelerator: ``cpu`` or ``cuda``.
        device: Name of the processor or the GPU.
        precision: Lightning's name of the precision of the training, or of the features.
        commit: Git commit of the source; null outside a checkout.
        dataset: Name of the dataset with the start of its fingerprint.
        settings: The recipe, with hashes of dataset and weights; device and precision may differ
            between cells of one recipe.
        configuration: SHA-256 of ``settings``.
    """

    schema_version: int
    arm: str
    size: int
    seed: int
    tested: int
    wrong: tuple[int, ...]
    steps: int
    seconds: float
    weights: str
    accelerator: str
    device: str
    precision: str
    commit: str | None
    dataset: str
    settings: dict[str, object]
    configuration: str

    @property
    def error_rate(self) -> float:
        """Share of the test images that it reads wrongly, 0 to 1."""
        return len(self.wrong) / self.tested

    @property
    def recipe(self) -> dict[str, object]:
        """The settings that all cells of one arm share."""
        return {name: value for name, value in self.settings.items() if name not in VARYING}

    def write(self, output_dir: Path) -> None:
        """Write the cell; its file appears as a whole.

        Raises:
            OSError: It cannot be written.
        """
        write_document(self, CellKey(self.arm, self.size, self.seed).path(output_dir))


def configuration_hash(settings: dict[str, object]) -> str:
    """Return the SHA-256 of settings, 64 hexadecimal digits."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def read_cell(path: Path) -> Cell:
    """Read a cell.

    Raises:
        OutputError: The file is missing or not a valid cell.
    """
    return read_document(Cell, path, version=CELL_VERSION, noun="cell", remedy=_REMEDY)


def read_cells(output_dir: Path) -> list[Cell]:
    """Read all cells of an output folder, by arm, size and seed.

    Raises:
        OutputError: A file is not a valid cell or of an unknown arm, the cells of an arm have
            different settings, or those of two arms different datasets.
    """
    paths = sorted((output_dir / FOLDER).glob("*.json"))
    cells = [read_cell(path) for path in paths]
    recipes: dict[str, Cell] = {}
    for path, cell in zip(paths, cells, strict=True):
        if cell.arm not in TITLES:
            raise OutputError(
                f"{path} is of the arm '{cell.arm}', which this version lacks: move it away."
            )
        first = recipes.setdefault(cell.arm, cell)
        if first.recipe != cell.recipe or cell.dataset != cells[0].dataset:
            raise OutputError(
                f"{path} was trained with other settings or data than the other cells: train it "
                "again with --force, or move it away."
            )
    return sorted(cells, key=lambda cell: (cell.arm, cell.size, cell.seed))


def publish_curve(output_dir: Path, published: Path) -> list[Path]:
    """Copy the cells, the statistics and the figure into the folder of published results.

    Args:
        output_dir: Folder of the learning curves; nothing is copied if there are none.
        published: Folder of the published results.

    Returns:
        The copies.

    Raises:
        OutputError: A cell was not trained from a commit and cannot be reproduced.
    """
    if not (output_dir / CURVE_FILE).is_file():
        return []
    for cell in read_cells(output_dir):
        if cell.commit is None:
            path = CellKey(cell.arm, cell.size, cell.seed).path(output_dir)
            raise OutputError(f"{path} was not trained from a commit: train it again with --force.")
    cells = sorted((output_dir / FOLDER).glob("*.json"))
    names = [*map(Path, CURVE_FILES), *(FOLDER / cell.name for cell in cells)]
    for name in names:
        copy_file(output_dir / name, published / name)
    return [published / name for name in names]


@contextmanager
def claimed(path: Path) -> Iterator[bool]:
    """Claim a cell for this process, and tell whether no other process is training it.

    Args:
        path: The cell's file.

    Yields:
        True if it is claimed until the end of the block; the operating system releases the claim of
        a process that dies.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path.with_suffix(".lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        # Deleted before it is released: a process that opens it in between notices that.
        with suppress(OSError):
            path.with_suffix(".lock").unlink()
        lock.release()
