"""Error messages of the libraries below, made short enough to be read."""

import difflib
import re

LIMIT = 300


def shorten(message: str, options: list[str] | None = None) -> str:
    """Turn a message of jsonargparse or Lightning into one line that names the culprit.

    Args:
        message: What the library says, often over many lines.
        options: The options that exist, to suggest the one that was meant.
    """
    return message
