"""What all commands share: a parser, the options that several of them have, one-line errors."""

import os
import sys
import threading
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from mnist_lightning import __version__
from mnist_lightning.errors import UserError

VERSION = f"mnist-lightning {__version__}"
OUTPUT_HELP = "folder of the trained models, where results are written too (default: output)"
DATA_HELP = "folder with MNIST (default: where the training of the first model found it)"


class CommandParser(ArgumentParser):
    """A parser that raises its errors, so that they are printed in one line without the usage.

    Args:
        program: Name of the script.
        description: What the command does.
        examples: Command lines, one on each line, and what else the help should end with.
    """

    def __init__(self, program: str, description: str, examples: str = "") -> None:
        super().__init__(
            prog=program,
            description=description,
            epilog=f"examples:\n{examples}" if examples else None,
            formatter_class=RawDescriptionHelpFormatter,
            # An abbreviation that works today is ambiguous when an option is added.
            allow_abbrev=False,
        )
        self.add_argument("--version", action="version", version=VERSION)

    def add_output_dir(self, text: str = OUTPUT_HELP) -> None:
        """Add ``--output_dir``."""
        self.add_argument(
            "--output_dir", type=Path, default=Path("output"), metavar="DIR", help=text
        )

    def add_data_dir(self, text: str = DATA_HELP, default: Path | None = None) -> None:
        """Add ``--data_dir``."""
        self.add_argument("--data_dir", type=Path, default=default, metavar="DIR", help=text)

    def error(self, message: str) -> NoReturn:
        """Raise the message."""
        raise UserError(f"{message}; see --help")


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
        run: Does the work and returns the exit status.

    Returns:
        That status, 2 after an error that the user can fix, or 130 after Ctrl-C.
    """
    report = threading.excepthook

    def report_unless_raised_again(args: threading.ExceptHookArgs) -> None:
        # A TensorBoard thread that cannot write passes its error to the main thread.
        if not issubclass(args.exc_type, OSError):
            report(args)

    threading.excepthook = report_unless_raised_again
    try:
        return run()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        name = error.filename
        # TensorBoard names its files in bytes.
        where = f"{os.fsdecode(name) if isinstance(name, bytes) else name}: " if name else ""
        print(f"error: {where}{error.strerror or error}", file=sys.stderr)
        return 2
    except (KeyboardInterrupt, SystemExit) as stop:
        # Lightning turns Ctrl-C into SystemExit with status 1.
        if isinstance(stop, SystemExit) and not isinstance(stop.__context__, KeyboardInterrupt):
            raise
        print("interrupted", file=sys.stderr)
        return 130
    finally:
        threading.excepthook = report
