"""A comparison as one HTML page that needs nothing else: no network, no other file."""

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from mnist_lightning.comparison.schema import Comparison
from mnist_lightning.comparison.titles import short_titles
from mnist_lightning.comparison.verdict import seeds_text, verdict
from mnist_lightning.data.digits import Pixels
from mnist_lightning.evaluation.label_errors import known_label_errors
from mnist_lightning.reporting.comparison_figure import PANELS, plot_disputed, plot_panel
from mnist_lightning.reporting.comparison_tables import (
    confusion_table,
    f1_table,
    heading,
    latency_table,
    overview,
    pair_table,
    side_by_side,
)
from mnist_lightning.reporting.histories_figure import plot_histories
from mnist_lightning.reporting.quantities import quantities
from mnist_lightning.reporting.rendering import render
from mnist_lightning.reporting.robustness_text import (
    answered_note,
    under_corruptions,
    with_clean_error,
)
from mnist_lightning.reporting.style import legend_text
from mnist_lightning.reporting.tables import Table
from mnist_lightning.reporting.vote_table import vote_table
from mnist_lightning.robustness.error_rates import Robustness

DPI = 110
COLOURS = 128
IN_ALL_TIMINGS = ("p95_ms", "p99_ms", "images_per_second")


@dataclass(frozen=True)
class Picture:
    """An image within the page.

    Attributes:
        data: PNG, base64.
        width: In pixels.
        height: In pixels.
        caption: What it shows.
        legend: Which models its letters stand for, for screen readers.
    """

    data: str
    width: int
    height: int
    caption: str
    legend: str = ""


def comparison_html(
    comparison: Comparison,
    images: Pixels,
    robustness: Robustness | None = None,
    histories: Mapping[str, pd.DataFrame] | None = None,
) -> str:
    """Render the page of a comparison.

    Args:
        comparison: The comparison.
        images: uint8, ``(N, 28, 28)``, the test images in their order.
        robustness: How these models perform on corrupted digits, if that is known.
        histories: The training histories that are known, by model name; see ``read_histories``.

    Returns:
        The page, with its images inside.
    """
    # Two titles in one cell leave a phone little room for the numbers.
    names = [*short_titles(comparison.models).values()]
    legend = legend_text(names)
    return render(
        "comparison.html",
        comparison=comparison,
        environment=comparison.environment,
        heading=heading(comparison),
        verdict=verdict(comparison, robustness),
        legend=legend,
        seeds_text=seeds_text,
        panels=[
            _picture(plot_panel(comparison, key), f"{caption}.", f" {legend}.")
            for key, (caption, _) in PANELS.items()
        ],
        curves=_curves(comparison, names, histories or {}),
        disputed=_picture(
            plot_disputed(comparison, images),
            f"{len(comparison.disputed)} of {comparison.disputed_total:,} test images that some "
            "models get right and others wrong, with their predictions.",
            f" {legend}.",
        ),
        label_errors=known_label_errors() if comparison.dataset.is_standard else None,
        corruptions=robustness and under_corruptions(robustness),
        answered=robustness and answered_note(robustness),
        **_tables(comparison, names, robustness),
    )


def _tables(
    comparison: Comparison, names: list[str], robustness: Robustness | None
) -> dict[str, object]:
    models = side_by_side(comparison, names)
    return {
        "overview": overview(comparison, names, robustness),
        "groups": {group: _group(models, group) for group in quantities(comparison)},
        "pairs": pair_table(comparison, names),
        "f1": f1_table(comparison, names),
        "confusions": confusion_table(comparison, names),
        "votes": vote_table(comparison, names),
        "robustness": robustness and with_clean_error(robustness),
        "latencies": latency_table(comparison, names),
    }


def _curves(
    comparison: Comparison, names: list[str], histories: Mapping[str, pd.DataFrame]
) -> Picture | None:
    places = {
        place: histories[model.name]
        for place, model in enumerate(comparison.models)
        if model.name in histories
    }
    if not places:
        return None
    caption = "Validation loss and accuracy of each epoch, for the models whose runs are available."
    return _picture(plot_histories(places, names), caption)


def _group(models: Table, group: str) -> Table:
    # Percentiles and throughput are in the table of all timings.
    columns = [
        column
        for column in models.values.columns
        if column[0] == group and not column[2].startswith(IN_ALL_TIMINGS)
    ]
    return models.apply(lambda one: one[columns].droplevel([0, 2], axis=1))


def _picture(figure: Figure, caption: str, legend: str = "") -> Picture:
    drawn, stream = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, dpi=DPI)
    # A palette takes a third of the bytes; these figures have few colours.
    with Image.open(drawn) as image:
        small = image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    small.save(stream, "PNG", optimize=True)
    data = base64.b64encode(stream.getvalue()).decode("ascii")
    return Picture(data, *small.size, caption, legend)
