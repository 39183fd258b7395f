"""Standard output and error streams that tolerate closed pipes and unprintable characters."""

import contextlib
import io
import os
import re
import sys
import warnings
from typing import Any

# C0 and C1 control characters, line and paragraph separators, changes of the writing direction,
# and the surrogates that stand for undecodable bytes of file names.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
#: What a line of text, or a progress bar, may contain of these.
_LAYOUT = "\b\t\n\r"


def one_line(text: object) -> str:
    """Escape everything that would move the cursor or control the terminal, such as line breaks.

    File names and the contents of files can contain such characters.
    """
    return _UNPRINTABLE.sub(lambda found: _escape(found[0]), str(text))


def _escape(character: str) -> str:
    # JSON knows the second form too; it has escaped the characters of the first one itself.
    return ascii(character)[1:-1] if character < " " else f"\\u{ord(character):04x}"


class TerminalStream:
    """A text stream that escapes control characters and ignores a closed pipe.

    Args:
        stream: The stream to write to. A character that it cannot encode is escaped.
    """

    def __init__(self, stream: io.TextIOWrapper) -> None:
        # Refused for a pipe that was opened for reading and writing.
        with contextlib.suppress(OSError):
            stream.reconfigure(errors="backslashreplace")
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write text; line breaks, tabs and the backspaces of progress bars stay."""
        shown = _UNPRINTABLE.sub(
            lambda found: found[0] if found[0] in _LAYOUT else _escape(found[0]), text
        )
        with self._ignoring_closed_pipes():
            self._stream.write(shown)
        return len(text)

    def flush(self) -> None:
        """Flush the stream."""
        with self._ignoring_closed_pipes():
            self._stream.flush()

    @contextlib.contextmanager
    def _ignoring_closed_pipes(self) -> Any:
        try:
            yield
        except BrokenPipeError:
            # As after `| head -1`: the work goes on, and all further output is discarded.
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self._stream.fileno())
            os.close(null)


@contextlib.contextmanager
def terminal_streams() -> Any:
    """Use ``TerminalStream`` for stdout and stderr, unless a program has replaced them.

    Environment variables that would break libraries of this package are ignored.
    """
    # Figures are drawn without a window, and an unknown backend stops matplotlib's import.
    os.environ.pop("MPLBACKEND", None)
    if any(option.startswith("error") for option in sys.warnoptions):
        # PYTHONWARNINGS=error: torch and Lightning warn when they are imported.
        warnings.simplefilter("default")
        for category in (DeprecationWarning, PendingDeprecationWarning, ImportWarning):
            warnings.simplefilter("ignore", category)
    before = sys.stdout, sys.stderr
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        # Not a subclass, which would be a stream of a test.
        if type(stream) is io.TextIOWrapper:
            setattr(sys, name, TerminalStream(stream))
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            # Here, where a closed pipe can be ignored; at its exit Python would report it.
            if isinstance(stream, TerminalStream):
                stream.flush()
        sys.stdout, sys.stderr = before
