"""The summary that is printed after a training."""

from collections.abc import Sequence
from pathlib import Path

from mnist_lightning.records.record import Record
from mnist_lightning.reporting.record_tables import record_table
from mnist_lightning.reporting.tables import written
from mnist_lightning.terminal.streams import one_line

COLUMNS = [
    "Test accuracy, %",
    "95 % interval (Wilson)",
    "Errors",
    "Test images",
    "Macro F1",
    "Time",
    "Seed",
    "Epochs",
    "On",
    "Precision",
    "Parameters",
    "Trained parameters",
    "Started from",
    "CPU threads",
    "One image, CPU, ms",
    "Batches of 256, CPU, ms/image",
]


def summary(record: Record, files: Sequence[Path], next_command: str) -> str:
    """Summarise a training for the terminal.

    Args:
        record: The record of the training.
        files: What it wrote, in one folder.
        next_command: What to run next.

    Returns:
        Lines, most of them of at most 100 columns. Paths and the command are kept whole, to be
        copied. No newline at the end.
    """
    results = record_table([record]).apply(lambda one: one[COLUMNS].T)
    head = f"{record.model.title} on {record.dataset.label}\n{results.to_text(header=False)}"
    return f"{head}\n\n{written(files)}\n\nNext: {one_line(next_command)}"
