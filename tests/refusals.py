"""A command that must refuse its input in one line, and a pickle that must not be loaded."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest


def refused(
    main: Callable[[list[str]], int], argv: list[str], capsys: pytest.CaptureFixture[str]
) -> str:
    """Run a command that must end with exit status 2; return the last line that it prints."""
    assert main(argv) == 2
    *before, line = capsys.readouterr().err.splitlines()
    assert "Traceback" not in "\n".join(before)
    assert line.startswith("error: ")
    return line


class RunsCode:
    """A pickle that creates a folder when it is loaded."""

    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.proof),)
