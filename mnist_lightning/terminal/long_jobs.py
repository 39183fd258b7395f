"""Progress of long work: a bar for a terminal, five lines for a log file."""

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm  # ships no type information


@contextmanager
def progress(
    title: str, total: int, done: int, log: logging.Logger
) -> Iterator[Callable[[int], object]]:
    """Show how far work on images is, and how long it will still take.

    On a terminal it is a bar with the rate and the remaining time; elsewhere it is one log line
    (INFO) at 0, 25, 50, 75 and 100 %.

    Args:
        title: What is being done.
        total: Number of images in all.
        done: Number of images that an earlier run has already done.
        log: Takes the lines.

    Yields:
        A function to be called with the number of images just done.
    """
    if sys.stderr.isatty():
        with tqdm(total=total, initial=done, desc=title, unit=" images") as bar:
            yield bar.update
    else:
        yield _QuarterLines(title, total, done, log).update


class _QuarterLines:
    def __init__(self, title: str, total: int, done: int, log: logging.Logger) -> None:
        self._title, self._total, self._done, self._log = title, total, done, log
        self._first, self._start = done, time.monotonic()
        self._quarter = -1
        self.update(0)

    def update(self, count: int) -> None:
        self._done += count
        quarter = 4 * self._done // self._total
        if quarter == self._quarter:
            return
        self._quarter = quarter
        self._log.info(
            "%s: %d %% (%s of %s images)%s",
            self._title,
            100 * self._done // self._total,
            f"{self._done:,}",
            f"{self._total:,}",
            self._estimate(),
        )

    def _estimate(self) -> str:
        new = self._done - self._first
        seconds = time.monotonic() - self._start
        if new == 0 or seconds == 0:
            return ""
        if self._done == self._total:
            return f", {new / seconds:,.0f} images/s"
        left = seconds * (self._total - self._done) / new
        return f", {new / seconds:,.0f} images/s, {left:,.0f} s left"
