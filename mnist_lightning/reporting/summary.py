"""What a training prints at its end."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

from mnist_lightning.records.record import Record
from mnist_lightning.reporting.record_tables import record_table
from mnist_lightning.reporting.tables import WIDTH
from mnist_lightning.terminal.streams import one_line

COLUMNS = [
    *("Test accuracy, %", "95 % interval (Wilson)", "Errors", "Test images", "Macro F1"),
    *("Time", "Seed", "Epochs", "On", "Precision"),
    *("Parameters", "Trained parameters", "Started from"),
    *("CPU threads", "One image, CPU, ms", "Batches of 256, CPU, ms/image"),
]


def summary(record: Record, files: Sequence[Path], next_command: str) -> str:
    """Summarise a training for the terminal.

    Args:
        record: The record of the training.
        files: What it wrote. They are named below their folder, if they share one.
        next_command: What to run next.

    Returns:
        Lines, most of them of at most 100 columns. Paths and the command are kept whole, to be
        copied. No newline at the end.
    """
    results = record_table([record]).apply(lambda one: one[COLUMNS].T)
    folders = {str(file.parent) for file in files}
    if len(folders) == 1:
        names = ", ".join(one_line(file.name) for file in files)
        wrapped = textwrap.fill(names, WIDTH, break_long_words=False, break_on_hyphens=False)
        listed = f"Written to {one_line(folders.pop())}:\n{wrapped}"
    else:
        listed = "\n".join(["Written:", *map(one_line, files)])
    head = f"{record.model.title} on {record.dataset.label}"
    return f"{head}\n{results.to_text(header=False)}\n\n{listed}\n\nNext: {one_line(next_command)}"
