"""The learning curves as Markdown, CSV, and a summary for the terminal."""

from collections.abc import Sequence
from pathlib import Path

from mnist_lightning.learning_curve.arms import TITLES
from mnist_lightning.learning_curve.cells import Cell
from mnist_lightning.learning_curve.curve_schema import LearningCurve, Point, sizes_text
from mnist_lightning.reporting.rendering import escape_markdown
from mnist_lightning.reporting.tables import Table, percent, table, three, to_csv, written
from mnist_lightning.terminal.wording import two_digits

LIMITS = (
    "Intervals and tests are over seeds, which change the labelled digits, the initial weights and "
    "the order; the test images are the same for all. Intervals are not adjusted for several "
    "comparisons, p values are (Holm). The digits that the CNN needs are interpolated on "
    "logarithmic axes between two measured numbers, from means over seeds: about two significant "
    "digits at best, and nothing beyond the measured numbers. No model is calibrated, no epoch is "
    "chosen: the last step is the result."
)


def error_table(curve: LearningCurve) -> Table:
    """Make a table of error rates in percent: a row for each arm, a column for each size."""
    sizes = sorted({point.size for point in curve.points})
    rows = []
    for arm in curve.arms:
        cells = {f"{n:,}": (point := curve.at(arm, n)) and _rate(point) for n in sizes}
        rows.append({"Error rate in %": TITLES[arm], **cells})
    return table(rows)


def _rate(point: Point) -> str:
    if point.low is None or point.high is None:
        return percent(point.mean)
    if point.low == point.high:
        # Frozen features and a convex problem: with all labels, nothing is left to vary.
        return f"{percent(point.mean)} (each seed)"
    return f"{percent(point.mean)} ({percent(point.low)}–{percent(point.high)})"


def crossover_sentences(curve: LearningCurve) -> list[str]:
    """Say at how many labelled digits an arm beats the first one, and which arms never do."""
    baseline = TITLES[curve.baseline] if curve.baseline else ""
    sentences = []
    for found in curve.crossovers:
        if wins := curve.wins(found.arm):
            text = f"{TITLES[found.arm]}: fewer errors than {baseline} at {sizes_text(wins)}"
            text += " labelled digits"
            clearly = curve.wins_clearly(found.arm)
            text += "" if clearly else " on average, but not clearly"
            if found.crossing and clearly:
                text += f"; the curves cross at about {two_digits(found.crossing)}"
            sentences.append(f"{text}.")
    never = [TITLES[one.arm] for one in curve.crossovers if one.last_win is None]
    if never:
        arms = "Every other model" if len(never) == len(curve.crossovers) > 1 else "; ".join(never)
        sentences.append(
            f"{arms}: more errors than {baseline} at every measured number of labelled digits."
        )
    return sentences


def curve_markdown(curve: LearningCurve) -> str:
    """Format the learning curves as Markdown, with a newline at the end."""
    starts = [f"- {TITLES[arm]}: {start}" for arm, start in curve.weights.items()]
    seeds = sorted({seed for point in curve.points for seed in point.seeds})
    parts = [
        "# Learning curves",
        " ".join(crossover_sentences(curve)),
        f"{curve.dataset}, {curve.tested:,} test images, seeds {', '.join(map(str, seeds))}; mean "
        "over seeds with 95 % t intervals.",
        error_table(curve).to_markdown(),
        "## Labelled digits that the CNN needs for the same error rate",
        _matches(curve).to_markdown(),
        "## Differences from the CNN, on the same labelled digits",
        _differences(curve).to_markdown(),
        "## Seconds of training",
        "With the features of a frozen backbone, without the test. Times on one device do not "
        "compare with those on another.",
        _seconds(curve).to_markdown(),
        "## Started from",
        "\n".join(map(str, map(escape_markdown, starts))),
        "## Limits",
        LIMITS,
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def report(curve: LearningCurve) -> str:
    """Format the error rates and the labels that the CNN needs, as Markdown for the report."""
    parts = [error_table(curve).to_markdown(), _matches(curve).to_markdown()]
    return "\n\n".join(part for part in parts if part)


def _matches(curve: LearningCurve) -> Table:
    rows: dict[str, dict[str, object]] = {}
    for match in curve.matches:
        row = rows.setdefault(match.arm, {"As good as": TITLES[match.arm]})
        row[f"{match.size:,}"] = match.text
    return table(rows.values())


def _differences(curve: LearningCurve) -> Table:
    rows = [
        {
            "Model": TITLES[one.arm],
            "Digits": one.size,
            "Seeds": one.seeds,
            "Points": f"{100 * one.difference:+.2f}",
            "95 % interval": None
            if one.low is None or one.high is None
            else f"{100 * one.low:+.2f} to {100 * one.high:+.2f}",
            "p (t, Holm)": one.t_p_holm,
            "p (sign flips, Holm)": one.sign_flip_p_holm,
        }
        for one in curve.differences
    ]
    found = table(rows)
    # Without the test for which there are too few seeds.
    kept = found.values.dropna(axis="columns", how="all").columns
    return found.apply(lambda one: one[kept])


def _seconds(curve: LearningCurve) -> Table:
    rows = [
        {
            "Model": TITLES[point.arm],
            "Digits": point.size,
            "Steps": round(point.steps),
            "Seconds": three(point.seconds),
            "On": ", ".join(point.devices),
        }
        for point in curve.points
    ]
    return table(rows)


def cells_csv(cells: Sequence[Cell]) -> str:
    """Format the cells as CSV, a row for each."""
    rows = [
        {
            "arm": cell.arm,
            "labelled": cell.size,
            "seed": cell.seed,
            "errors": len(cell.wrong),
            "tested": cell.tested,
            "steps": cell.steps,
            "seconds": cell.seconds,
            "device": cell.device,
            "precision": cell.precision,
            "weights": cell.weights,
            "commit": cell.commit,
        }
        for cell in cells
    ]
    return to_csv(table(rows).values)


def curve_summary(curve: LearningCurve, files: Sequence[Path]) -> str:
    """Summarise the learning curves for the terminal."""
    parts = ["\n".join(crossover_sentences(curve)), error_table(curve).to_text(), written(files)]
    return "\n\n".join(part for part in parts if part)
