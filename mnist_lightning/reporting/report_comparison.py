"""Parts of the technical report that a comparison is needed for."""

from mnist_lightning.comparison.schema import Comparison
from mnist_lightning.evaluation.label_errors import known_label_errors
from mnist_lightning.reporting.comparison_rows import comparison_rows, percent
from mnist_lightning.reporting.comparison_text import pair_table, table


def conclusion(comparison: Comparison) -> str:
    """What may and may not be concluded."""
    return "\n\n".join(comparison.conclusion)


def differences(comparison: Comparison) -> str:
    """Table of the pairs."""
    return "\n".join(pair_table(comparison))


def label_errors(comparison: Comparison) -> str:
    """Table of the results without the images whose labels are known to be wrong."""
    if not comparison.dataset.is_standard:
        return f"{comparison.dataset.name} is not the standard MNIST: the list does not apply."
    known = len(known_label_errors().errors)
    rows = []
    for model in comparison.models:
        cleaned = model.without_label_errors
        assert cleaned is not None, "the standard test set always has them"
        agreeing = sum(answer.agrees_with_people for answer in cleaned.counted_wrong)
        rows.append(
            [
                model.title,
                f"{percent(model.test.accuracy)} %",
                f"{percent(cleaned.accuracy)} %",
                f"{percent(cleaned.interval.low)} to {percent(cleaned.interval.high)} %",
                f"{len(cleaned.counted_wrong)} of {known}",
                str(agreeing),
            ]
        )
    header = ["Model", "All images", "Without", "95 % interval", "Counted wrong", "As people said"]
    return table(header, rows)


def rows_of(comparison: Comparison, group: str) -> str:
    """Table of one group of rows."""
    rows = [row for row in comparison_rows(comparison) if row.group == group]
    titles = [model.title for model in comparison.models]
    return table(["", *titles], [[row.label.strip(), *row.texts] for row in rows])


def latency(comparison: Comparison) -> str:
    """Table of the timings, and where they were taken."""
    machine = comparison.environment
    header = ["Model", "Threads", "Images a call", "p50", "p95", "p99", "Images/s"]
    rows = [
        [
            model.title,
            str(point.threads),
            str(point.batch_size),
            *(f"{ms:.3f}" for ms in (point.p50_ms, point.p95_ms, point.p99_ms)),
            f"{point.images_per_second:,.0f}",
        ]
        for model in comparison.models
        for point in model.latency
        if point.batch_size in (1, 32, 256)
    ]
    place = (
        f"Milliseconds per image on {machine.processor} ({machine.logical_cores} logical cores), "
        f"torch {machine.versions['torch']}, all models in turn in one run."
    )
    return f"{place}\n\n{table(header, rows)}"
