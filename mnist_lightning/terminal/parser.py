"""The command-line parser, common options and error handling of all commands."""

import logging
import os
import re
import sys
import threading
from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn, TypeVar

from mnist_lightning import __version__
from mnist_lightning.errors import UserError
from mnist_lightning.terminal.streams import one_line, terminal_streams
from mnist_lightning.terminal.threads import shorten_waiting

T = TypeVar("T")

VERSION = f"mnist-lightning {__version__}"
# Messages of torch and of the C++ library.
_NO_MEMORY = re.compile(r"can't allocate memory|not enough memory|[Oo]ut of memory|bad_alloc")
OUTPUT_HELP = "folder of the trained models and of the results (default: output)"
DATA_HELP = "folder with MNIST (default: the one that the first model was trained with)"


class CommandParser(ArgumentParser):
    """A parser that raises UserError instead of printing its usage and exiting.

    Args:
        program: Name of the script.
        description: What the command does.
        examples: Example commands, one per line, and any text to show after them.
    """

    def __init__(self, program: str, description: str, examples: str = "") -> None:
        super().__init__(
            prog=program,
            description=description,
            epilog=f"examples:\n{examples}" if examples else None,
            formatter_class=RawDescriptionHelpFormatter,
            # An abbreviation would become ambiguous when an option is added.
            allow_abbrev=False,
        )
        self.add_argument("--version", action="version", version=VERSION)

    def add_output_dir(self, text: str = OUTPUT_HELP, default: Path = Path("output")) -> None:
        """Add ``--output_dir``."""
        self.add_argument("--output_dir", type=Path, default=default, metavar="DIR", help=text)

    def add_data_dir(self, text: str = DATA_HELP, default: Path | None = None) -> None:
        """Add ``--data_dir``."""
        self.add_argument("--data_dir", type=Path, default=default, metavar="DIR", help=text)

    def add_quiet(self) -> None:
        """Add ``--quiet``, which sets ``log_level`` so that only errors are shown."""
        self.add_argument(
            "--quiet",
            dest="log_level",
            action="store_const",
            const=logging.ERROR,
            default=logging.INFO,
            help="print errors and the final summary only",
        )

    def error(self, message: str) -> NoReturn:
        """Raise the message."""
        raise UserError(f"{message:.500}; see --help")


def whole_number(least: int = 0) -> Callable[[str], int]:
    """Return a ``type`` for ``add_argument``: whole numbers of at least ``least``, below 2**32."""

    def parse(text: str) -> int:
        # The length first: Python refuses to convert thousands of digits.
        if not (text.isdecimal() and len(text) <= 10 and least <= int(text) < 2**32):
            reason = f"is not a whole number of at least {least} and below {2**32:,}"
            raise ArgumentTypeError(f"{text!r:.40} {reason}")
        return int(text)

    return parse


def number_up_to(most: float) -> Callable[[str], float]:
    """Return a ``type`` for ``add_argument``: numbers from 0 to ``most``."""

    def parse(text: str) -> float:
        with suppress(ValueError):
            if 0 <= (value := float(text)) <= most:
                return value
        raise ArgumentTypeError(f"{text!r:.40} is not a number from 0 to {most:,}")

    return parse


def choose(option: str, names: Sequence[str] | None, known: Mapping[str, T]) -> list[T]:
    """Return what names mean, in the order of ``known``; all of it without names.

    Raises:
        UserError: A name is not known.
    """
    for name in names or ():
        if name not in known:
            raise UserError(f"{option}: there is no '{name}'; choose from {', '.join(known)}")
    return [one for name, one in known.items() if names is None or name in names]


def require_name(option: str, name: str) -> None:
    """Refuse a path where the name of a model is expected.

    Raises:
        UserError: The name contains a path separator.
    """
    if Path(name).name != name:
        raise UserError(f"{option} takes a name such as custom_cnn, not the path '{name}'")


def run_command(run: Callable[[], int]) -> int:
    """Run a command and print what the user can fix as one line on stderr.

    Args:
        run: The command; returns the exit status.

    Returns:
        That status, 2 after an error that the user can fix, or 130 after Ctrl-C.
    """
    shorten_waiting()
    report = threading.excepthook

    def report_unless_raised_again(args: threading.ExceptHookArgs) -> None:
        # TensorBoard's writer thread raises its OSError in the main thread again.
        if not issubclass(args.exc_type, OSError):
            report(args)

    threading.excepthook = report_unless_raised_again
    try:
        with terminal_streams():
            return _run_and_report(run)
    finally:
        threading.excepthook = report


def _run_and_report(run: Callable[[], int]) -> int:
    try:
        return run()
    except UserError as error:
        print(f"error: {one_line(error)}", file=sys.stderr)
        return 2
    except (MemoryError, RuntimeError) as error:
        if not lacks_memory(error):
            raise
        print(
            "error: there is not enough memory; end other programs, or process less at a time",
            file=sys.stderr,
        )
        return 2
    except OSError as error:
        name = error.filename
        # TensorBoard names its files in bytes.
        where = f"{os.fsdecode(name) if isinstance(name, bytes) else name}: " if name else ""
        print(f"error: {one_line(f'{where}{error.strerror or error}')}", file=sys.stderr)
        return 2
    except (KeyboardInterrupt, SystemExit) as stop:
        # Lightning turns Ctrl-C into SystemExit with status 1.
        if isinstance(stop, SystemExit) and not isinstance(stop.__context__, KeyboardInterrupt):
            raise
        print("interrupted", file=sys.stderr)
        return 130


def lacks_memory(error: BaseException) -> bool:
    """Return whether an exception says that memory has run out, of the system or of a GPU."""
    return isinstance(error, MemoryError) or bool(_NO_MEMORY.search(str(error)))
