"""What to call a model where its whole title is too long."""

import re
from collections.abc import Sequence
from typing import Protocol

#: Brackets in brackets, such as the last ones of "ResNet50 (frozen, ImageNet V1 (72 % top-1))".
_NESTED = re.compile(r" \([^()]*\)(?=[^()]*\))")
#: All but the first of what stands in brackets.
_FURTHER = re.compile(r"(\([^,()]*), [^)]*\)")


class Titled(Protocol):
    """A model, or a record of one, with a name and a title."""

    @property
    def name(self) -> str:
        """The prefix of its files."""

    @property
    def title(self) -> str:
        """Its name for people."""


def in_sentence(title: str) -> str:
    """Put the part of a title after a comma into brackets, and leave out brackets in brackets."""
    head, comma, tail = title.partition(", ")
    if comma and "(" not in head:
        title = f"{head} ({tail})"
    return _NESTED.sub("", title)


def short_titles(models: Sequence[Titled]) -> dict[str, str]:
    """Shorten titles to the first part in brackets, e.g. ``ResNet50 (frozen)``.

    Where that would name two models, the title stays as it is; models of the same title get their
    name in addition.

    Returns:
        The short titles by model name.
    """
    found: dict[str, str] = {}
    whole = [in_sentence(model.title) for model in models]
    short = [_FURTHER.sub(r"\1)", title) for title in whole]
    for model, title, shorter in zip(models, whole, short, strict=True):
        if whole.count(title) > 1:
            found[model.name] = f"{title} ({model.name})"
        else:
            found[model.name] = shorter if short.count(shorter) == 1 else title
    return found
