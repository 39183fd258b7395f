import pytest

from mnist_lightning.errors import UserError
from mnist_lightning.reporting.fill import fill

BLOCKS = {"a": lambda: "A\n", "b": lambda: "| x |\n| --- |"}
EMPTY = """# T

<!-- generated:a -->
<!-- end -->
prose 1.5
<!-- generated:b -->
old
<!-- end -->
"""


def test_blocks_are_filled_and_prose_stays_unchanged() -> None:
    text, changed = fill(EMPTY, BLOCKS, "r.md")
    assert changed == ["a", "b"]
    assert text == (
        "# T\n\n<!-- generated:a -->\n\nA\n\n<!-- end -->\nprose 1.5\n"
        "<!-- generated:b -->\n\n| x |\n| --- |\n\n<!-- end -->\n"
    )


def test_filled_document_is_up_to_date() -> None:
    text, _ = fill(EMPTY, BLOCKS, "r.md")
    assert fill(text, BLOCKS, "r.md") == (text, [])


def test_only_blocks_that_differ_are_stale() -> None:
    text, _ = fill(EMPTY, BLOCKS, "r.md")
    assert fill(text.replace("| x |", "| y |"), BLOCKS, "r.md") == (text, ["b"])


def test_document_without_blocks_is_up_to_date() -> None:
    assert fill("# Nothing\n", BLOCKS, "r.md") == ("# Nothing\n", [])


def test_unknown_block_is_refused_with_the_known_ones() -> None:
    message = r"r\.md: there is no generated block 'c'; choose from a, b"
    with pytest.raises(UserError, match=message):
        fill("<!-- generated:c -->\n<!-- end -->\n", BLOCKS, "r.md")


@pytest.mark.parametrize(
    "text",
    [
        "<!-- generated:a -->\n",
        "<!-- end -->\n",
        "<!-- generated:a -->\n<!-- generated:b -->\n<!-- end -->\n",
        "<!-- generated:a -->\n<!-- end -->\n<!-- end -->\n",
        "<!-- generated:a b -->\n<!-- end -->\n",
    ],
)
def test_markers_that_do_not_pair_up_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="do not pair up"):
        fill(text, BLOCKS, "r.md")
