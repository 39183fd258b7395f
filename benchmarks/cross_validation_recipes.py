"""The recipes that `benchmarks.cross_validation` compares."""

from dataclasses import dataclass

_CNN = ("--model", "cnn", "--data.augmentation.appearance", "null")
_TINY = (*_CNN, "--model.widths", "[16,24,28]", "--model.dropout", "0")


def _appearance(**ranges: float) -> tuple[str, ...]:
    """Return the options of a changed appearance."""
    pairs = [(f"--data.augmentation.appearance.{k}", f"{v:g}") for k, v in ranges.items()]
    return ("--model", "cnn", *(part for pair in pairs for part in pair))


@dataclass(frozen=True)
class Recipe:
    """A way to train the custom CNN.

    Attributes:
        name: Prefix of its result files.
        title: Its name in tables.
        options: The arguments of ``scripts/train.py``.
        teachers: Recipe and seed of the networks whose ensemble is the teacher; those of the same
            fold are taken, which have not seen the held-out images either.
    """

    name: str
    title: str
    options: tuple[str, ...]
    teachers: tuple[tuple[str, int], ...] = ()


_LIGHT = {"share": 0.5, "gain": 0.3, "background": 1.0, "noise": 0.25}
_INVERTED = {**_LIGHT, "inverted": 0.3}
_TEACHERS = tuple(("contrast", seed) for seed in range(3))

#: The reference comes first.
RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            "plain",
            "no contrast normalisation",
            (*_CNN, "--model.contrast_normalisation", "false"),
        ),
        Recipe("contrast", "contrast normalisation", _CNN),
        Recipe("light", "light, background and noise", _appearance(**_LIGHT)),
        Recipe("inverted", "the same, and polarity", _appearance(**_INVERTED)),
        Recipe("quarter", "the same, a quarter", _appearance(**{**_INVERTED, "share": 0.25})),
        Recipe("stroke", "polarity and strokes", _appearance(**_INVERTED, stroke=0.5)),
        Recipe("smoothing", "label smoothing 0.05", (*_CNN, "--model.label_smoothing", "0.05")),
        Recipe("tiny", "24,754 parameters", _TINY),
        Recipe("longer", "40 epochs", (*_CNN, "--trainer.max_epochs", "40")),
        Recipe("tiny_longer", "24,754, 50 epochs", (*_TINY, "--trainer.max_epochs", "50")),
        Recipe("distilled", "distilled from three", _CNN, _TEACHERS),
        Recipe("tiny_distilled", "24,754, distilled from three", _TINY, _TEACHERS),
    )
}
