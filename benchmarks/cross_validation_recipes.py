"""The recipes that `benchmarks.cross_validation` compares."""

from dataclasses import dataclass

_CNN = ("--model", "cnn", "--data.augmentation.appearance", "null")
_TINY = ("--model.widths", "[16,24,28]", "--model.dropout", "0")


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
_ROBUST = {**_LIGHT, "inverted": 0.3, "bands": 0.5, "stroke": 0.5, "hollow": 0.2}
_TEACHERS = tuple(("light", seed) for seed in range(3))

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
        Recipe("inverted", "light and polarity", _appearance(**_INVERTED)),
        Recipe("robust", "light, polarity, bands, strokes, outlines", _appearance(**_ROBUST)),
        Recipe("tiny", "24,754 parameters, light", (*_appearance(**_LIGHT), *_TINY)),
        Recipe("distilled", "light, distilled from three", _appearance(**_LIGHT), _TEACHERS),
        Recipe(
            "tiny_distilled",
            "24,754 parameters, light, distilled from three",
            (*_appearance(**_LIGHT), *_TINY),
            _TEACHERS,
        ),
    )
}
