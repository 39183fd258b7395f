"""Decoding of untrusted files in a process with limited memory and time.

A PDF of 3 kB can take hours to render, and a PNG of 90 bytes can declare a gigabyte. The process
imports neither torch nor SciPy, so that it starts in a fraction of a second; one serves many files.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread, Timer
from typing import IO, Any

import numpy as np

from mnist_lightning.errors import DataError
from mnist_lightning.evaluation.peak_memory import own_peak_bytes
from mnist_lightning.handwriting.colour import LONG_SIDE, Grey
from mnist_lightning.handwriting.pages import read_pages

#: Address space of the process, in bytes.
MEMORY = 1_250_000_000
#: Seconds between two checks of the used memory, for systems that do not enforce a limit.
_LOOK = 0.05
#: Seconds for a page, and for all pages of a file.
PAGE_SECONDS, FILE_SECONDS = 20.0, 120.0

_LONGEST_HEADER = 10_000
#: On a machine of many cores, threads and their heaps would fill the address space.
_FEW_THREADS = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}


class Decoder:
    """Decodes files in a separate process, which starts with the first file.

    It is a context manager; the process ends with the block.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Decoder":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process; the next file starts another."""
        if self._process is not None:
            self._process.kill()
            with self._process:  # closes its pipes and waits
                self._process = None

    def read_pages(self, path: Path) -> Iterator[Grey]:
        """Yield the pages of a file; see ``pages.read_pages``.

        Raises:
            DataError: See there; or the file needs more memory or time than allowed.
        """
        process = self._started()
        end = time.monotonic() + FILE_SECONDS
        complete = False
        try:
            _stdin(process).write(json.dumps(str(path)).encode() + b"\n")
            _stdin(process).flush()
            while (page := _receive(process, path, end)) is not None:
                yield page
            complete = True
        except BrokenPipeError:
            raise DataError(_failed(path)) from None
        except DataError:
            complete = process.poll() is None
            raise
        finally:
            # The unread rest of this file must not be taken for the next one.
            if not complete:
                self.close()

    def _started(self) -> "subprocess.Popen[bytes]":
        if self._process is None or self._process.poll() is not None:
            self.close()
            code = (
                f"import sys; sys.path[:] = {sys.path!r}; "
                "from mnist_lightning.handwriting.decoding import serve; serve()"
            )
            self._process = subprocess.Popen(
                [sys.executable, "-c", code],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, **_FEW_THREADS},
            )
        return self._process


def _stdin(process: "subprocess.Popen[bytes]") -> IO[bytes]:
    assert process.stdin is not None
    return process.stdin


def _receive(process: "subprocess.Popen[bytes]", path: Path, end: float) -> Grey | None:
    """Wait for a page; None after the last one."""
    expired = Event()

    def expire() -> None:
        expired.set()
        process.kill()

    timer = Timer(max(0.0, min(PAGE_SECONDS, end - time.monotonic())), expire)
    timer.daemon = True
    timer.start()
    try:
        message = _parse(process)
    finally:
        timer.cancel()
    if message is None:
        process.wait()
        if expired.is_set():
            raise DataError(
                f"{path}: decoding it takes more than {PAGE_SECONDS:.0f} s a page or "
                f"{FILE_SECONDS:.0f} s in all; save a simpler copy, e.g. as PNG."
            )
        raise DataError(_failed(path))
    if isinstance(message, str):
        raise DataError(message)
    return message if message.size else None


def _failed(path: Path) -> str:
    return (
        f"{path}: decoding it takes more than {MEMORY / 1e9:.1f} GB of memory, or fails; "
        "save a smaller copy, e.g. as PNG."
    )


def _parse(process: "subprocess.Popen[bytes]") -> Grey | str | None:
    """Read a page, an error, or an empty page after the last one; None if the process ended."""
    assert process.stdout is not None
    line = process.stdout.readline(_LONGEST_HEADER)
    try:
        header: Any = json.loads(line)
    except ValueError:
        return None
    if isinstance(header, str):
        return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in header)
    height, width = header
    if not 0 <= max(height, width) <= LONG_SIDE:
        return None
    content = process.stdout.read(height * width * 4)
    if len(content) < height * width * 4:
        return None
    return np.frombuffer(content, dtype=np.float32).reshape(height, width)


def serve() -> None:
    """Decode the files that are named on stdin, one JSON string a line; runs in the process."""
    # Libraries may print to stdout, which belongs to the pages.
    with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as out:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        _limit_memory()
        with suppress(ImportError):  # of Pillow 11.3
            from PIL import AvifImagePlugin

            AvifImagePlugin.DEFAULT_MAX_THREADS = 2
        for line in sys.stdin.buffer:
            _limit_time()
            _send_pages(out, Path(json.loads(line)))


def _send_pages(out: IO[bytes], path: Path) -> None:
    try:
        for page in read_pages(path):
            out.write(json.dumps(page.shape).encode() + b"\n" + page.tobytes())
            out.flush()
        last = json.dumps((0, 0))
    except (DataError, OSError) as error:
        last = json.dumps(str(error)[: _LONGEST_HEADER // 20])
    except MemoryError:
        last = json.dumps(_failed(path))
    out.write(last.encode() + b"\n")
    out.flush()


def _limit_memory() -> None:
    Thread(target=_watch_memory, daemon=True).start()
    try:
        import resource
    except ImportError:  # Windows
        return
    with suppress(OSError, ValueError):  # macOS does not enforce it
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _watch_memory() -> None:
    """End this process when it has taken too much; on Windows, only the time is limited."""
    with suppress(ImportError):
        while own_peak_bytes() < MEMORY:
            time.sleep(_LOOK)
        os._exit(1)


def _limit_time() -> None:
    """End this process even if the one that waits for it is killed."""
    try:
        import resource
    except ImportError:
        return
    used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    with suppress(OSError, ValueError):
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (int(used + FILE_SECONDS) + 1, hard))
