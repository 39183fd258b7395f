"""Error messages of jsonargparse and Lightning, shortened to one line."""

import difflib
import re
import textwrap
from collections.abc import Sequence

_KEY = re.compile(r'Parser key "([\w.]+)":')
_UNKNOWN = re.compile(
    r"unrecognized arguments: (\S+)|Option '([\w.]+)' is not accepted"
    r"|Group '([\w.]+)' does not accept option '([\w.]+)'"
)
#: Lines of jsonargparse that describe its parser, or repeat a whole object.
_DETAIL = re.compile(
    r"Parser key|Does not validate|Subtypes:|Errors:|Problem with given class_path|.*'NoneType'>$"
    r"|Given value type:|Given value: (NestedArg\(|Namespace\(|\{)"
)
#: Names that other programs use, and the last part of ours.
_OTHER_NAMES = {
    "epochs": "max_epochs",
    "lr": "learning_rate",
    "seed": "seed_everything",
    "gpus": "devices",
    "output": "output_dir",
    "resume": "ckpt_path",
    "checkpoint": "ckpt_path",
}


def shorten(message: str, options: Sequence[str] = ()) -> str:
    """Turn a message of several lines into one that names the option, the value and the problem.

    Args:
        message: A message of jsonargparse or Lightning.
        options: The existing options without dashes, e.g. ``data.batch_size``, to suggest one.
    """
    keys = _KEY.findall(message)
    if unknown := _UNKNOWN.search(message):
        if not (unknown[1] or "-").startswith("-"):
            return f"'{unknown[1]}' is not an option: options start with --, their values follow"
        path = [*keys, *(part.lstrip("-") for part in unknown.groups() if part)]
        return _suggest(".".join(path).partition("=")[0], options)
    lines = [line.strip().removeprefix("- ") for line in message.splitlines()]
    text = ("; " if keys else " ").join(line for line in lines if not _DETAIL.match(line))
    text = re.sub(r"<class '(?:\w+\.)*(\w+)'>|typing\.", r"\1", text)
    text = re.sub("[.;] G(ot|iven) value:", ", not", text).replace("Expected a ", "expected ")
    prefix = f"--{'.'.join(keys)}: " if keys else ""
    return textwrap.shorten(prefix + text, 400, placeholder=" ...")


def _suggest(name: str, options: Sequence[str]) -> str:
    """Say that an option does not exist, and suggest the one that was probably meant."""
    group, _, last = name.rpartition(".")
    last = _OTHER_NAMES.get(last, last)
    siblings = [option for option in options if option.rpartition(".")[0] == group]
    meant = [option for option in options if option.rpartition(".")[2] == last]
    meant += difflib.get_close_matches(name, siblings or options, n=1, cutoff=0.8)
    if meant:
        return f"there is no option --{name}; did you mean --{meant[0]}?"
    if group and 0 < len(siblings) <= 20:
        return f"there is no option --{name}; choose from --{', --'.join(siblings)}"
    return f"there is no option --{name}; --help_all explains all options"
