"""Progress in a log file and in a terminal."""

import io
import logging
import sys

import pytest

from mnist_lightning.terminal.long_jobs import progress

log = logging.getLogger("test_progress")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_log_file_gets_one_line_per_quarter(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with progress("Work", 4000, 0, log) as advance:
        for _ in range(100):
            advance(40)
    parts = [message.split(",", 2)[:2] for message in caplog.messages]
    assert caplog.messages[0] == "Work: 0 % (0 of 4,000 images)"
    assert [part[0].split(" (")[0] for part in parts] == [
        f"Work: {percent} %" for percent in (0, 25, 50, 75, 100)
    ]
    assert caplog.messages[2].endswith("s left")
    assert caplog.messages[4].endswith("images/s")


def test_slow_work_gets_a_line_every_half_minute(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = iter((0, 0, 29, 31, 60, 62))
    monkeypatch.setattr("time.monotonic", lambda: float(next(seconds)))
    caplog.set_level(logging.INFO)
    with progress("Work", 100, 0, log) as advance:
        for _ in range(4):
            advance(1)
    shares = [message.split(" %")[0] for message in caplog.messages]
    assert shares == ["Work: 0", "Work: 2", "Work: 4"]


def test_continued_work_starts_at_its_previous_progress(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with progress("Work", 8, 5, log) as advance:
        advance(3)
    assert [message.split(" images")[0] for message in caplog.messages] == [
        "Work: 62 % (5 of 8",
        "Work: 100 % (8 of 8",
    ]


def test_a_terminal_gets_a_bar_and_no_lines(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with progress("Work", 8, 5, log) as advance:
        advance(3)
    assert "Work: 100%" in terminal.getvalue()
    assert "8/8" in terminal.getvalue()
    assert not caplog.messages
