"""Jinja templates, and Markdown in which text from records stays text."""

import re
from collections.abc import Iterable

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

# "<" only where it can start a tag or a comment: "p < 0.001" stays as it is.
_SPECIAL = re.compile(r"[\\`|*\[]|<(?=[A-Za-z/!?])")


def render(template: str, **values: object) -> str:
    """Fill a template.

    Args:
        template: Name of a file in ``templates/``, which ends in ``.html`` or ``.md``.
        values: What the template refers to.

    Returns:
        The document. All values are escaped for its format, unless they are ``Markup``.
    """
    is_html = template.endswith(".html")
    environment = Environment(
        loader=PackageLoader("mnist_lightning.reporting"),
        autoescape=is_html,
        finalize=None if is_html else escape_markdown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["code"] = code
    # YAML reads the surrogate pairs of ASCII-only JSON as two characters.
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False}
    return environment.get_template(template).render(**values)


def escape_markdown(value: object) -> Markup:
    """Escape text for a line or a table cell of Markdown; ``Markup`` is returned unchanged."""
    if isinstance(value, Markup):
        return value
    line = " ".join(str(value).splitlines())
    return Markup(_SPECIAL.sub(lambda found: "&lt;" if found[0] == "<" else f"\\{found[0]}", line))


def code(text: str) -> Markup:
    """Format text as a code span on one line."""
    line, pad = " ".join(text.splitlines()), " " * ("`" in text)
    fence = _fence(line, at_least=1)
    return Markup(f"{fence}{pad}{line}{pad}{fence}")


def code_block(lines: Iterable[str]) -> Markup:
    """Format commands as a code block."""
    body = "\n".join(lines)
    fence = _fence(body, at_least=3)
    return Markup(f"{fence}bash\n{body}\n{fence}")


def _fence(text: str, at_least: int) -> str:
    """Return a run of backticks that is longer than any in the text."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    return "`" * max(longest + 1, at_least)
