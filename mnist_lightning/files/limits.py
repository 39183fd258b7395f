"""What the values of a document may be: types of fields with a range, a length or a pattern."""

import re
from dataclasses import dataclass
from typing import Annotated, Any


class DecodingError(ValueError):
    """A value does not have the type or range that is declared; the message names its key."""


@dataclass(frozen=True)
class Within:
    """Limits of a number, or of the length of a list; both are included."""

    low: float
    high: float


@dataclass(frozen=True)
class Matching:
    """What a text must look like: a pattern, and its description for messages."""

    pattern: str
    description: str


Limit = Within | Matching

_LARGEST = 10**15
#: The limits of values whose type has none.
DEFAULTS: dict[type, Limit] = {
    int: Within(-_LARGEST, _LARGEST),
    # No control characters, which could reach a terminal, and no halves of characters.
    str: Matching(r"[^\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]{0,10000}", "printable text"),
}
#: An undecodable byte in an argument or in the name of a file is half a character in Python.
ARGUMENT = Matching(r"[^\x00\ud800-\udc7f\udd00-\udfff]{0,100000}", "text of whole characters")

#: A name for people, in tables and figures.
TITLE = Matching(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,200}", "one line of printable text")

Share = Annotated[float, Within(0, 1)]
Change = Annotated[float, Within(-1, 1)]
NotNegative = Annotated[float, Within(0, _LARGEST)]
Count = Annotated[int, Within(0, _LARGEST)]
Digit = Annotated[int, Within(0, 9)]
Seed = Annotated[int, Within(0, 2**32 - 1)]
Sha256 = Annotated[str, Matching("[0-9a-f]{64}", "64 hexadecimal digits")]
Name = Annotated[str, Matching(r"\w[\w.-]{0,100}", "a name such as custom_cnn")]
FileName = Annotated[str, Matching(r"\w[^/\\\x00-\x1f]{0,254}", "a file name without a folder")]
Argument = Annotated[str, ARGUMENT]
Title = Annotated[str, TITLE]


def check(limit: Limit | None, value: Any, key: str) -> None:
    """Check a value of the right type.

    Args:
        limit: Its limit; None for none.
        value: The value; of a list, its length is checked.
        key: Its key in the document, for messages.

    Raises:
        DecodingError: It exceeds its limit.
    """
    if isinstance(limit, Matching) and not re.fullmatch(limit.pattern, value):
        raise DecodingError(f"{key} must be {limit.description}, not {value!r:.40}")
    if not isinstance(limit, Within):
        return
    number, verb = (len(value), "have a length") if isinstance(value, list) else (value, "be")
    if not limit.low <= number <= limit.high:
        found = f"{number:,}" if abs(number) < 1e30 else "a longer number"
        raise DecodingError(f"{key} must {verb} from {limit.low:,} to {limit.high:,}, not {found}")
