"""What all commands of the study share: how they answer mistakes."""

import os
import sys
import threading
from argparse import ArgumentParser
from collections.abc import Callable
from typing import NoReturn

from mnist_lightning.errors import UserError


class CommandParser(ArgumentParser):
    """A parser that raises its errors, so that they are printed in one line without the usage."""

    def error(self, message: str) -> NoReturn:
        """Raise the message."""
        raise UserError(f"{message}; see --help")


def run_command(run: Callable[[], int]) -> int:
    """Run a command and turn what a user can mend into one line on stderr.

    Args:
        run: Does the work and returns the exit status.

    Returns:
        That status, 2 when the user has something to mend, or 130 after Ctrl-C.
    """
    report = threading.excepthook

    def report_unless_raised_again(args: threading.ExceptHookArgs) -> None:
        # A thread of TensorBoard that cannot write tells the main thread, which says so below.
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
        # Lightning turns Ctrl-C into an exit of its own, with status 1.
        if isinstance(stop, SystemExit) and not isinstance(stop.__context__, KeyboardInterrupt):
            raise
        print("interrupted", file=sys.stderr)
        return 130
    finally:
        threading.excepthook = report
