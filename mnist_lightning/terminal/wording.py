"""Numbers and lists as sentences state them."""

from collections.abc import Sequence


def signed(points: float) -> str:
    """Format a difference with its sign, e.g. ``−0.22`` with a typographic minus."""
    return f"{points:+.2f}".replace("-", "−")


def p_text(p: float) -> str:
    """Format a p value as journals do, e.g. ``p = 0.023`` or ``p < 0.001``."""
    if p < 0.001:
        return "p < 0.001"
    # Rounding to 0.050 would hide that it is below 0.05.
    if 0.0495 <= p < 0.05:
        return "p < 0.05"
    return f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def count(number: int, thing: str) -> str:
    """Format a count with its noun, e.g. ``1 image`` or ``1,000 images``."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def two_digits(value: float) -> str:
    """Format with two significant digits and without an exponent, e.g. ``0.31`` or ``120``."""
    return f"{float(f'{value:.2g}'):,.10g}"


def listed(words: Sequence[str]) -> str:
    """Join words into a list for a sentence, e.g. ``A, B and C``."""
    *start, last = words
    return f"{', '.join(start)} and {last}" if start else last
