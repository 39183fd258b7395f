"""Cells whose errors are given."""

from dataclasses import replace
from typing import Any

from mnist_lightning.learning_curve.cells import CELL_VERSION, Cell


def cell(arm: str, size: int, seed: int, errors: int, **changes: Any) -> Cell:
    found = Cell(
        schema_version=CELL_VERSION,
        arm=arm,
        size=size,
        seed=seed,
        tested=10_000,
        wrong=tuple(range(errors)),
        steps=10,
        seconds=2.0 + seed,
        weights="w",
        accelerator="cpu",
        device="a processor",
        precision="32-true",
        commit=None,
        dataset="MNIST (06b0d1f1)",
        settings={},
        configuration="",
    )
    return replace(found, **changes)


def curves(**errors: dict[int, list[int]]) -> list[Cell]:
    return [
        cell(arm, size, seed, found)
        for arm, sizes in errors.items()
        for size, seeds in sizes.items()
        for seed, found in enumerate(seeds)
    ]
