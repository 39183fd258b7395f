import pytest

from mnist_lightning.reporting.rendering import code, code_block, escape_markdown


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("a | b", r"a \| b"),
        ("a\r\nb\n", "a b"),
        ("`x` *y* [z](u)", r"\`x\` \*y\* \[z](u)"),
        ("<!-- end --> <b>", "&lt;!-- end --> &lt;b>"),
        (r"a\|b", r"a\\\|b"),
        # What the documents are full of stays readable.
        ("p < 0.001, custom_cnn_model.pt (−3.45 to −2.73)",) * 2,
    ],
)
def test_text_is_escaped_for_one_line_of_markdown(text: str, escaped: str) -> None:
    assert escape_markdown(text) == escaped
    assert escape_markdown(escape_markdown(text)) == escaped


@pytest.mark.parametrize(
    ("text", "span"),
    [("a b", "`a b`"), ("a\nb", "`a b`"), ("a`b", "`` a`b ``"), ("``", "``` `` ```")],
)
def test_code_cannot_end_its_span(text: str, span: str) -> None:
    assert code(text) == span


def test_code_cannot_end_its_block() -> None:
    assert code_block(["a", "b"]) == "```bash\na\nb\n```"
    assert code_block(["a\n```\nb"]) == "````bash\na\n```\nb\n````"
