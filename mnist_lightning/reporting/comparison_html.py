"""A comparison as one HTML page that needs nothing else: no network, no other file."""

import base64
import io
from dataclasses import dataclass

from matplotlib.figure import Figure

from mnist_lightning.comparison.schema import Comparison
from mnist_lightning.data.digits import Pixels
from mnist_lightning.evaluation.label_errors import known_label_errors
from mnist_lightning.reporting.comparison_figure import PANELS, plot_disputed, plot_panel
from mnist_lightning.reporting.comparison_tables import (
    confusion_table,
    f1_table,
    heading,
    label_error_table,
    latency_table,
    pair_table,
    quantities,
    side_by_side,
)
from mnist_lightning.reporting.rendering import render
from mnist_lightning.reporting.robustness_text import under_corruptions, with_clean_accuracy
from mnist_lightning.reporting.style import legend_text, letters
from mnist_lightning.reporting.tables import Table
from mnist_lightning.robustness.error_rates import Robustness

DPI = 110
IN_ALL_TIMINGS = ("p95_ms", "p99_ms", "images_per_second")


@dataclass(frozen=True)
class Picture:
    """An image within the page.

    Attributes:
        data: PNG, base64.
        width: In pixels.
        height: In pixels.
        alt: What it shows.
    """

    data: str
    width: int
    height: int
    alt: str


def comparison_html(
    comparison: Comparison, images: Pixels, whole: Figure, robustness: Robustness | None = None
) -> str:
    """Render the page of a comparison.

    Args:
        comparison: The comparison.
        images: uint8, ``(N, 28, 28)``, the test images in their order.
        whole: The figure of ``plot_comparison``.
        robustness: How these models perform on corrupted digits, if that is known.

    Returns:
        The page, with its images inside.
    """
    legend = legend_text(model.title for model in comparison.models)
    # Letters, because two titles in one cell leave a phone no room for the numbers.
    names = letters(len(comparison.models))
    listed = zip(names, comparison.models, strict=True)
    models = side_by_side(comparison, [f"{letter}: {model.title}" for letter, model in listed])
    return render(
        "comparison.html",
        comparison=comparison,
        environment=comparison.environment,
        heading=heading(comparison),
        legend=legend,
        groups={group: _group(models, group) for group in quantities(comparison)},
        pairs=pair_table(comparison, names),
        panels=[
            _picture(plot_panel(comparison, key), f"{alt}. {legend}.")
            for key, (alt, _) in PANELS.items()
        ],
        disputed=_picture(
            plot_disputed(comparison, images),
            f"{len(comparison.disputed)} of {comparison.disputed_total:,} test images that some "
            f"models get right and others wrong, with their predictions. {legend}.",
        ),
        whole=_picture(whole, f"All panels in one figure. {legend}."),
        f1=f1_table(comparison, names),
        confusions=confusion_table(comparison, names),
        label_errors=known_label_errors() if comparison.dataset.is_standard else None,
        label_error_rows=label_error_table(comparison, names),
        robustness=robustness and with_clean_accuracy(robustness),
        corruptions=robustness and under_corruptions(robustness),
        latencies=latency_table(comparison, names),
    )


def _group(models: Table, group: str) -> Table:
    # Percentiles and throughput are in the table of all timings.
    columns = [
        column
        for column in models.values.columns
        if column[0] == group and not column[2].startswith(IN_ALL_TIMINGS)
    ]
    return models.apply(lambda one: one[columns].droplevel([0, 2], axis=1))


def _picture(figure: Figure, alt: str) -> Picture:
    stream = io.BytesIO()
    figure.savefig(stream, dpi=DPI)
    width, height = (int(side) for side in DPI * figure.get_size_inches())
    return Picture(base64.b64encode(stream.getvalue()).decode("ascii"), width, height, alt)
