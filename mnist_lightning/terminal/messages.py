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
#: A class of --trainer.callbacks or --trainer.logger that cannot be built.
_CLASS = re.compile(r"Problem with given class_path '(?:\w+\.)*(\w+)':\s+(.+)")
_MISSING = re.compile(r"the following arguments are required: (\S+)")
_NO_CLASS = re.compile(
    r"no attribute|No module named|dot import path|not correspond to a subclass of"
)
#: The options that take classes, by a part of the messages about them.
_CLASS_OPTIONS = {
    "callbacks.callback.Callback": "--trainer.callbacks",
    "loggers.logger.Logger": "--trainer.logger",
    "trainer.plugins": "--trainer.plugins",
    '"trainer.strategy"': "--trainer.strategy",
}
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
    for kind, option in _CLASS_OPTIONS.items():
        if kind in message:
            return _explain_class(message, option)
    if unknown := _UNKNOWN.search(message):
        if not (unknown[1] or "-").startswith("-"):
            return f"'{unknown[1]}' is not an option: options start with --, their values follow"
        path = [*keys, *(part.lstrip("-") for part in unknown.groups() if part)]
        return _suggest(".".join(path).partition("=")[0], options)
    lines = [line.strip().removeprefix("- ") for line in message.splitlines()]
    text = ("; " if keys else " ").join(line for line in lines if not _DETAIL.match(line))
    text = re.sub(r"<class '(?:\w+\.)*(\w+)'>|typing\.", r"\1", text)
    text = re.sub("[.;] G(ot|iven) value:", ", not", text).replace("Expected a ", "expected ")
    text = re.sub(
        r"Literal\[([^\]]+)\]", lambda choices: "one of " + choices[1].replace("'", ""), text
    )
    prefix = f"--{'.'.join(keys)}: " if keys else ""
    return textwrap.shorten(prefix + text, 400, placeholder=" ...")


def _explain_class(message: str, option: str) -> str:
    """Say why a class cannot be built that an option names.

    Args:
        message: A message of jsonargparse that lists every type that the option accepts.
        option: The option.
    """
    given = message.rpartition("Given value: ")[2]
    reason = message.partition("Errors:")[2].strip().partition("\n")[0].removeprefix("- ")
    if _NO_CLASS.search(message) and "Namespace(" not in given:
        reason = f"there is no such class as '{given:.100}'; give one of Lightning's by its name, "
        reason += "or another one by package.module.Class"
    elif problem := _CLASS.search(message):
        name, reason = problem.groups()
        missing = _MISSING.match(reason)
        reason = (
            f"{name} needs {missing[1]}; add {option}.{missing[1]} VALUE" if missing else reason
        )
    return textwrap.shorten(f"{option}: {reason or message}", 400, placeholder=" ...")


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
