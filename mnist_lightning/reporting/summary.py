"""What a training prints at its end."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

from mnist_lightning.records.record import Record

WIDTH = 100
INDENT = 20


def summary(record: Record, files: Sequence[Path], next_command: str) -> str:
    """Sum up a training for the terminal.

    Args:
        record: The record of the training.
        files: What it left. They are named below their folder, if they share one.
        next_command: What to run next.

    Returns:
        Lines of at most 100 columns, unless a single path or the command is longer: these are
        kept whole, to be copied. No newline at the end.
    """
    title = f"{record.model.title} on {record.dataset.label}"
    rows = [
        *((name, _wrapped(text)) for name, text in _results(record)),
        *_files(files),
        ("Next", [next_command]),
    ]
    return "\n".join([title, *(line for name, lines in rows for line in _row(name, lines))])


def _results(record: Record) -> list[tuple[str, str]]:
    test, training, parameters = record.test, record.training, record.model.parameters
    low, high = 100 * test.interval.low, 100 * test.interval.high
    single, batched = record.latency.single, record.latency.batched
    trained = "all" if parameters.trainable == parameters.total else f"{parameters.trainable:,}"
    return [
        (
            "Test accuracy",
            f"{100 * test.accuracy:.2f} %, 95 % interval {low:.2f} to {high:.2f} % (Wilson)",
        ),
        ("Errors", f"{test.n - test.correct:,} of {_count(test.n, 'test image')}"),
        ("Macro F1", f"{test.macro_f1:.4f}"),
        (
            "Training",
            f"{_duration(training.seconds)} for {_count(training.epochs, 'epoch')} on "
            f"{training.accelerator} ({training.precision}), {_kept(record)}",
        ),
        ("Parameters", f"{parameters.total:,}, {trained} trained, from {record.model.weights}"),
        (
            "CPU inference",
            f"{_milliseconds(single.p50_ms)} per image alone, {_milliseconds(batched.p50_ms)} in "
            f"batches of {batched.batch_size} ({_count(record.latency.threads, 'thread')})",
        ),
    ]


def _kept(record: Record) -> str:
    if record.members:
        return f"seeds {', '.join(map(str, record.seeds))}"
    return f"best epoch {record.training.best_epoch}"


def _files(files: Sequence[Path]) -> list[tuple[str, list[str]]]:
    folders = {file.parent for file in files}
    if len(folders) != 1:
        return [("Files", [str(file) for file in files])]
    names = _wrapped(", ".join(file.name for file in files))
    return [("Folder", [str(folders.pop())]), ("Files", names)]


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH - INDENT, break_long_words=False, break_on_hyphens=False)


def _row(name: str, lines: list[str]) -> list[str]:
    heads = [f"  {name}", *[""] * len(lines)]
    return [head.ljust(INDENT) + line for head, line in zip(heads, lines, strict=False)]


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'s'[: number != 1]}"


def _milliseconds(value: float) -> str:
    return f"{value:.3g} ms" if value < 100 else f"{value:,.0f} ms"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
