"""A comparison as one HTML page that needs nothing else: no network, no other file."""

import base64
import io
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import numpy.typing as npt
from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure
from PIL import Image

from mnist_lightning.comparison.schema import ComparedModel, ComparedPair, Comparison
from mnist_lightning.evaluation.label_errors import known_label_errors
from mnist_lightning.reporting.comparison_figure import PANELS, plot_disputed, plot_panel
from mnist_lightning.reporting.comparison_look import legend_text, look
from mnist_lightning.reporting.comparison_rows import comparison_rows, three
from mnist_lightning.reporting.comparison_text import (
    PAIR_HEADER,
    ROBUSTNESS_HEADER,
    heading,
    pair_cells,
    robustness_cells,
    under_corruptions,
)
from mnist_lightning.robustness.error_rates import Robustness

PANEL_DPI = 110
WHOLE_DPI = 110
IN_ALL_TIMINGS = ("p95_ms", "p99_ms", "images_per_second")
LATENCY_HEADER = ["Model", "Threads", "Batch", "Calls", "p50", "p95", "p99", "Images/s"]


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


@dataclass(frozen=True)
class Cell:
    """A cell of a table that sorts.

    Attributes:
        text: What is shown.
        value: What is sorted by; numbers sort as numbers.
    """

    text: str
    value: str


def comparison_html(
    comparison: Comparison,
    images: npt.NDArray[np.uint8],
    whole: Figure,
    robustness: Robustness | None = None,
) -> str:
    """Make the page of a comparison.

    Args:
        comparison: The comparison.
        images: uint8, ``(N, 28, 28)``, the test images in their order.
        whole: The figure of ``plot_comparison``.
        robustness: What these models make of corrupted digits, if that is known.

    Returns:
        The page, with its images inside.
    """
    environment = Environment(
        loader=PackageLoader("mnist_lightning.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    models = comparison.models
    # Percentiles and throughput stand in the table of all timings.
    rows = [row for row in comparison_rows(comparison) if not row.key.startswith(IN_ALL_TIMINGS)]
    legend = legend_text(models)
    letters = [look(place).letter for place in range(len(models))]
    return environment.get_template("comparison.html").render(
        comparison=comparison,
        environment=comparison.environment,
        heading=heading(comparison),
        letters=letters,
        legend=legend,
        groups=[(name, list(found)) for name, found in groupby(rows, key=lambda row: row.group)],
        pair_header=PAIR_HEADER,
        pairs=[_pair(comparison, pair) for pair in comparison.pairs],
        panels=[
            _picture(plot_panel(comparison, key), PANEL_DPI, f"{alt}. {legend}.")
            for key, (alt, _) in PANELS.items()
        ],
        disputed=_picture(
            plot_disputed(comparison, images),
            PANEL_DPI,
            f"{len(comparison.disputed)} of {comparison.disputed_total:,} test images that some "
            f"models get right and others wrong, with their predictions. {legend}.",
        ),
        whole=_picture(whole, WHOLE_DPI, f"All panels in one figure. {legend}."),
        f1_header=["Digit", *letters],
        f1_rows=[
            [_cell(str(digit)), *(_number(m.test.per_class[digit].f1, ".4f") for m in models)]
            for digit in range(10)
        ],
        confusions=[row for place, model in enumerate(models) for row in _confusions(place, model)],
        label_errors=known_label_errors() if comparison.dataset.is_standard else None,
        label_error_rows=[
            row for place, model in enumerate(models) for row in _label_errors(place, model)
        ],
        robustness_header=ROBUSTNESS_HEADER,
        robustness_note=under_corruptions(robustness) if robustness else "",
        robustness_rows=[
            [Cell(text, text.removesuffix(" %")) for text in cells]
            for cells in (robustness_cells(robustness) if robustness else ())
        ],
        latency_header=LATENCY_HEADER,
        latencies=[row for place, model in enumerate(models) for row in _latencies(place, model)],
    )


def _pair(comparison: Comparison, pair: ComparedPair) -> list[Cell]:
    # Letters, because two titles in one cell leave a phone no room for the numbers.
    letters = {model.name: look(place).letter for place, model in enumerate(comparison.models)}
    _, *cells = pair_cells(comparison, pair)
    return [_cell(text) for text in (f"{letters[pair.second]} − {letters[pair.first]}", *cells)]


def _confusions(place: int, model: ComparedModel) -> list[list[Cell]]:
    return [
        [
            _cell(look(place).letter),
            *(_cell(str(v)) for v in (found.true, found.predicted, found.count)),
        ]
        for found in model.test.most_confused
    ]


def _label_errors(place: int, model: ComparedModel) -> list[list[Cell]]:
    cleaned = model.without_label_errors
    return [
        [
            _cell(look(place).letter),
            *(_cell(str(value)) for value in (found.index, found.given, found.predicted)),
            _cell("yes" if found.agrees_with_people else "no"),
        ]
        for found in (cleaned.counted_wrong if cleaned else ())
    ]


def _latencies(place: int, model: ComparedModel) -> list[list[Cell]]:
    return [
        [
            _cell(look(place).letter),
            *(_cell(str(value)) for value in (point.threads, point.batch_size)),
            _number(point.calls, ",.0f"),
            *(Cell(three(ms), repr(ms)) for ms in (point.p50_ms, point.p95_ms, point.p99_ms)),
            _number(point.images_per_second, ",.0f"),
        ]
        for point in model.latency
    ]


def _number(value: float, form: str) -> Cell:
    return Cell(format(value, form), repr(value))


def _cell(text: str) -> Cell:
    # As JavaScript reads numbers, which knows neither separators of thousands nor a true minus.
    return Cell(text, text.replace(",", "").replace("−", "-") if text[-1:].isdigit() else text)


def _picture(figure: Figure, dpi: int, alt: str) -> Picture:
    stream = io.BytesIO()
    figure.savefig(stream, dpi=dpi)
    with Image.open(stream) as image:
        width, height = image.size
    return Picture(base64.b64encode(stream.getvalue()).decode("ascii"), width, height, alt)
