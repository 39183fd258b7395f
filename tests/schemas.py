"""The dataclasses that a JSON document consists of, and the keys that their docstrings describe."""

import inspect
import re
import typing
from dataclasses import is_dataclass
from typing import Any


def dataclasses_within(kind: Any) -> set[type]:
    """All dataclasses that a dataclass is made of, with itself."""
    inner = [
        found
        for part in (typing.get_type_hints(kind).values() if is_dataclass(kind) else ())
        for argument in (part, *typing.get_args(part))
        for found in dataclasses_within(argument)
    ]
    return {*inner, kind} if is_dataclass(kind) else set(inner)


def described(kind: type) -> list[str]:
    """The keys in the ``Attributes:`` of a class and those it extends."""
    # Python 3.13 removes the indentation of docstrings, earlier ones keep it.
    documents = [inspect.cleandoc(base.__doc__) for base in kind.__mro__ if base.__doc__]
    text = "\n".join(document.partition("Attributes:\n")[2] for document in documents)
    return re.findall(r"^ {4}(\w+): \S", text, flags=re.MULTILINE)
