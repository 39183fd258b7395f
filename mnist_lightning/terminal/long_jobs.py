"""Progress of long work on images: a bar in a terminal, a few lines in a log file."""

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

#: Longest time without a line if there is no bar.
SILENT_SECONDS = 30.0


@contextmanager
def progress(
    title: str, total: int, done: int, log: logging.Logger
) -> Iterator[Callable[[int], object]]:
    """Show the progress of work on images, its rate and the remaining time.

    In a terminal it is a bar; elsewhere it is one log line (INFO) at 0, 25, 50, 75 and 100 %, and
    after half a minute without one. There is neither if ``log`` shows errors only.

    Args:
        title: Description of the work.
        total: Number of all images.
        done: Number of images that an earlier run has finished.
        log: Logger of the lines.

    Yields:
        A function to call with the number of images just finished.
    """
    if sys.stderr.isatty():
        hidden = not log.isEnabledFor(logging.WARNING)
        with tqdm(total=total, initial=done, desc=title, unit=" images", disable=hidden) as bar:
            yield bar.update
        return
    start, first, quarter = time.monotonic(), done, -1
    last = start

    def update(count: int) -> None:
        nonlocal done, quarter, last
        done += count
        now = time.monotonic()
        if quarter == 4 * done // total and now - last < SILENT_SECONDS:
            return
        quarter, last = 4 * done // total, now
        rate = _rate(done - first, total - done, now - start)
        share = f"{100 * done // total} % ({done:,} of {total:,} images)"
        log.info("%s: %s%s", title, share, rate)

    update(0)
    yield update


def _rate(finished: int, left: int, seconds: float) -> str:
    if finished == 0 or seconds == 0:
        return ""
    remaining = f", {seconds * left / finished:,.0f} s left" if left else ""
    return f", {finished / seconds:,.0f} images/s{remaining}"
