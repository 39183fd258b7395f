"""Documents with generated blocks: ``<!-- generated:NAME -->`` up to ``<!-- end -->``."""

import re
from collections.abc import Callable, Mapping

from mnist_lightning.errors import UserError

_BLOCK = re.compile(
    r"(?P<start><!-- generated:(?P<name>[\w-]+) -->\n)(?P<body>.*?)(?P<end><!-- end -->)",
    flags=re.DOTALL,
)
_MARKER = re.compile(r"<!-- (generated:[^>]*|end) -->")

Blocks = Mapping[str, Callable[[], str]]


def fill(text: str, blocks: Blocks, name: str) -> tuple[str, list[str]]:
    """Fill the generated blocks of a document.

    Args:
        text: The document.
        blocks: For each block's name the function that makes its content.
        name: Name of the document, for messages.

    Returns:
        The document with all blocks filled, and the names of the blocks that changed.

    Raises:
        UserError: A block has an unknown name, or its markers do not pair up.
    """
    changed: list[str] = []
    found = list(_BLOCK.finditer(text))
    nested = any(_MARKER.search(match["body"]) for match in found)
    if nested or 2 * len(found) != len(_MARKER.findall(text)):
        raise UserError(
            f"{name}: the markers <!-- generated:NAME --> and <!-- end --> do not pair up; write "
            "both for each block, each on a separate line"
        )

    def replace(match: re.Match[str]) -> str:
        if match["name"] not in blocks:
            raise UserError(
                f"{name}: there is no generated block '{match['name']}'; choose from "
                f"{', '.join(sorted(blocks))}"
            )
        # The blank lines keep Markdown from reading a table as part of the comment.
        body = f"\n{blocks[match['name']]().strip()}\n\n"
        if body != match["body"]:
            changed.append(match["name"])
        return match["start"] + body + match["end"]

    return _BLOCK.sub(replace, text), changed
