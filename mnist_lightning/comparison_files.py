"""The files that a comparison leaves."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from mnist_lightning.evaluation.comparison import FILE_NAME, Comparison
from mnist_lightning.evaluation.robustness import Robustness
from mnist_lightning.reporting.comparison_figure import plot_comparison
from mnist_lightning.reporting.comparison_html import comparison_html
from mnist_lightning.reporting.comparison_rows import comparison_rows
from mnist_lightning.reporting.comparison_text import csv_text, markdown
from mnist_lightning.reporting.style import DPI
from mnist_lightning.storage import atomic_path


def write_comparison(
    comparison: Comparison,
    images: npt.NDArray[np.uint8],
    output_dir: Path,
    robustness: Robustness | None = None,
) -> list[Path]:
    """Write a comparison as figure, tables, page and record, and log it to TensorBoard.

    Args:
        comparison: The comparison.
        images: uint8, ``(N, 28, 28)``, the test images in their order.
        output_dir: Where to.
        robustness: What these models make of corrupted digits, if that is known.

    Returns:
        The files, each replaced in one step; the record comes last.

    Raises:
        OSError: A file cannot be written.
    """
    figure = plot_comparison(comparison, images)
    stem = output_dir / FILE_NAME.removesuffix(".json")
    with atomic_path(stem.with_suffix(".png")) as path:
        figure.savefig(path, dpi=DPI)
    # Everything has found its place; to lay it out again for the page and for TensorBoard would
    # take a second each.
    figure.set_layout_engine("none")
    texts = {
        ".csv": csv_text(comparison),
        ".md": markdown(comparison, robustness),
        ".html": comparison_html(comparison, images, figure, robustness),
    }
    for suffix, text in texts.items():
        with atomic_path(stem.with_suffix(suffix)) as path:
            path.write_text(text, encoding="utf-8")
    log_to_tensorboard(comparison, figure, output_dir / "runs" / "comparison")
    comparison.write(stem.with_suffix(".json"))
    return [stem.with_suffix(suffix) for suffix in (".png", *texts, ".json")]


def log_to_tensorboard(comparison: Comparison, figure: Figure, folder: Path) -> None:
    """Log the quantities that are compared, and the figure, as one run.

    Args:
        comparison: The comparison.
        figure: As from ``plot_comparison``.
        folder: Of the run. Events of earlier comparisons in it are removed: TensorBoard would
            show old and new ones as one.
    """
    # Takes a second to import.
    from torch.utils.tensorboard import SummaryWriter

    for old in folder.glob("events.out.tfevents.*"):
        old.unlink()
    with SummaryWriter(str(folder)) as writer:
        for row in comparison_rows(comparison):
            for model, value in zip(comparison.models, row.values, strict=True):
                if value is not None:
                    writer.add_scalar(f"{row.key}/{model.name}", value)
        # add_figure would close a figure of pyplot; this one is drawn into its own canvas.
        writer.add_figure("comparison", figure, close=False)
