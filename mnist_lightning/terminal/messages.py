"""Error messages of jsonargparse and Lightning, made short enough to be read."""

import difflib
import re
from collections.abc import Iterable

_LIMIT = 400
_KEY = re.compile(r'Parser key "([\w.]+)":?')
_REFUSED_OPTION = re.compile(r"Option '([\w.]+)' is not accepted")
_REFUSED_KEY = re.compile(r"Group '([\w.]+)' does not accept option '([\w.]+)'")
_UNRECOGNIZED = re.compile(r"unrecognized arguments: (\S+)")
_EXPECTED = re.compile(r"Expected an? (?P<what>.+?)\. Got value: (?P<value>.+)")
_GIVEN = re.compile(r"^\s*Given value: (?P<value>.+)", re.MULTILINE)
_SAYS_NOTHING = re.compile(
    "'NoneType'|Does not validate against any|either not accessible|Problem with given class_path"
)
_NESTED_VALUE = re.compile(r"NestedArg\(key='(?P<key>[\w.]+)', val=(?P<value>.+)\)")


def shorten(message: str, options: Iterable[str] = ()) -> str:
    """Turn a message of many lines into one that names the option, the value and the choices.

    Args:
        message: What the library says.
        options: Options that exist, as ``--data.batch_size``, to suggest the one that was meant.
    """
    message = re.sub(r"^Linked .*\"data.seed\".*", "--data.seed follows --seed_everything", message)
    keys = ".".join(_KEY.findall(message))
    if unrecognized := _UNRECOGNIZED.search(message):
        word = unrecognized[1]
        return _unknown(f"--{keys}.{word.lstrip('-')}" if keys else word, options)
    if refused := _REFUSED_KEY.search(message):
        return _unknown(f"--{refused[1]}.{refused[2]}", options)
    if refused := _REFUSED_OPTION.search(message):
        return _unknown("--" + ".".join(filter(None, [keys, refused[1]])), options)
    problems = _problems(message)
    text = "; ".join(problems) if problems else " ".join(message.split())
    if keys and not text.startswith("--"):
        text = f"--{keys}: {text}"
    return text if len(text) <= _LIMIT else text[: _LIMIT - 4] + " ..."


def _problems(message: str) -> list[str]:
    """The causes that jsonargparse lists, in its own words as little as possible."""
    given = _GIVEN.search(message)
    value = given["value"] if given else None
    if value is not None and (nested := _NESTED_VALUE.match(value)):
        value = nested["value"]
    found: list[str] = []
    for line in message.splitlines():
        cause = line.strip().removeprefix("- ")
        if expected := _EXPECTED.fullmatch(cause):
            cause, value = f"Expected a {expected['what']}", expected["value"]
        elif not line.lstrip().startswith("- ") or _SAYS_NOTHING.search(cause):
            continue
        if cause.startswith("Expected a "):
            cause = f"expected {_plain_type(cause.removeprefix('Expected a '))}"
        if not _KEY.fullmatch(cause) and cause not in found:
            found.append(cause)
    if found and value is not None and all(cause.startswith("expected ") for cause in found):
        found[-1] += f", not {value}"
    return found


def _plain_type(name: str) -> str:
    """``<class 'int'>`` and ``typing.Literal['a', 'b']`` as people write them."""
    if choices := re.search(r"Literal\[(.+)\]", name):
        return f"one of {choices[1].replace(chr(39), '')}"
    return re.sub(r"<class '(?:\w+\.)*(\w+)'>", r"\1", name)


def _unknown(option: str, options: Iterable[str]) -> str:
    name = option.partition("=")[0]
    if not name.startswith("-"):
        return f"'{name}' is not understood: an option begins with --, its value follows it"
    known = list(options)
    group = name.rpartition(".")[0]
    siblings = [choice for choice in known if choice.rpartition(".")[0] == group]
    if close := difflib.get_close_matches(name, siblings or known, n=1, cutoff=0.8):
        return f"there is no option {name}; did you mean {close[0]}?"
    if 0 < len(siblings) <= 20:
        return f"there is no option {name}; choose from {', '.join(siblings)}"
    return f"there is no option {name}; --help_all lists all of them"
