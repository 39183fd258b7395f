"""The tables of a comparison: models side by side, pairs, errors, latency.

Each takes the names that it calls the models by: titles, letters or prefixes of files.
"""

from collections.abc import Sequence

import pandas as pd

from mnist_lightning.comparison.schema import ComparedPair, Comparison
from mnist_lightning.comparison.verdict import how_measured, mean_accuracy, spread
from mnist_lightning.data.digits import CLASSES
from mnist_lightning.evaluation.label_errors import known_label_errors
from mnist_lightning.reporting.quantities import quantities
from mnist_lightning.reporting.tables import Table, four, interval, percent, table, texts
from mnist_lightning.robustness.error_rates import Robustness
from mnist_lightning.terminal.wording import count, p_text, signed


def heading(comparison: Comparison) -> str:
    """Name the number of models and the test images."""
    dataset = comparison.dataset
    return (
        f"{count(len(comparison.models), 'model')} on the same {dataset.test:,} test images of "
        f"{dataset.label}"
    )


def overview(
    comparison: Comparison, names: Sequence[str], robustness: Robustness | None = None
) -> Table:
    """Tabulate what the verdict is about, a row for each model."""
    measured = robustness.models if robustness else ()
    errors = {model.name: model.mean_error for model in measured}
    rows = (
        {
            "Model": name,
            "Test accuracy, %": mean_accuracy(comparison, model),
            "Based on": how_measured(comparison, model),
            "Uncertainty, %": spread(comparison, model),
            "Time per image, ms": model.point(1, 1).p50_ms,
            "Parameters": model.cost.parameters.total,
            **({"Corruption error, %": errors.get(model.name)} if robustness else {}),
        }
        for name, model in zip(names, comparison.models, strict=True)
    )
    return table(rows, {"Test accuracy, %": percent, "Corruption error, %": percent})


def side_by_side(comparison: Comparison, names: Sequence[str]) -> Table:
    """Tabulate all quantities of all models.

    Returns:
        A row for each model. A column is named by its group, label and key; its values are in the
        unit of the key, shares from 0 to 1.
    """
    groups = quantities(comparison).items()
    listed = {(group, one.label, one.key): one for group, found in groups for one in found}
    cells = {column: [*map(one.value, comparison.models)] for column, one in listed.items()}
    values = pd.DataFrame(cells, pd.Index(names, name="model"), dtype=object)
    shown = texts(values, {column: one.show for column, one in listed.items()})
    best = {column: one.best(cells[column], [*shown[column]]) for column, one in listed.items()}
    return Table(values, shown, pd.DataFrame(best, values.index))


def values_by_key(comparison: Comparison) -> pd.DataFrame:
    """Tabulate the values alone: a row for each model's name, a column for each key."""
    values = side_by_side(comparison, [model.name for model in comparison.models]).values
    return values.droplevel([0, 1], axis=1)


def pair_table(comparison: Comparison, names: Sequence[str]) -> Table:
    """Tabulate all pairs: difference of accuracy, 2x2 table, McNemar's test, Cohen's kappa."""
    named = dict(zip((model.name for model in comparison.models), names, strict=True))
    rows = (
        {
            "second minus first": f"{named[pair.second]} − {named[pair.first]}",
            "points": 100 * pair.difference,
            "95 % interval": _interval_text(pair),
            "both right": pair.agreement.both_right,
            "only first": pair.agreement.only_first,
            "only second": pair.agreement.only_second,
            "neither": pair.agreement.both_wrong,
            "McNemar p": pair.mcnemar_p,
            "adjusted p": pair.adjusted_p,
            "kappa": pair.kappa,
        }
        for pair in comparison.pairs
    )
    formats = {"points": signed, "McNemar p": _p, "adjusted p": _p, "kappa": four}
    return table(rows, formats)


def _interval_text(pair: ComparedPair) -> str:
    if pair.interval is None:
        return "undefined"
    return f"{signed(100 * pair.interval.low)} to {signed(100 * pair.interval.high)}"


def _p(value: float) -> str:
    return p_text(value).removeprefix("p ").removeprefix("= ")


def latency_table(comparison: Comparison, names: Sequence[str]) -> Table:
    """Tabulate all timings, in milliseconds per image."""
    return table(
        {
            "Model": name,
            "Threads": point.threads,
            "Batch": point.batch_size,
            "Calls": point.calls,
            "p50": point.p50_ms,
            "p95": point.p95_ms,
            "p99": point.p99_ms,
            "Images/s": point.images_per_second,
        }
        for name, model in zip(names, comparison.models, strict=True)
        for point in model.latency
    )


def f1_table(comparison: Comparison, names: Sequence[str]) -> Table:
    """Tabulate the F1 score of each digit, with a column for each model."""
    models = dict(zip(names, comparison.models, strict=True))
    rows = (
        {"Digit": digit, **{name: m.test.per_class[digit].f1 for name, m in models.items()}}
        for digit in range(CLASSES)
    )
    return table(rows, dict.fromkeys(names, four))


def confusion_table(comparison: Comparison, names: Sequence[str]) -> Table:
    """Tabulate which digits each model confuses most."""
    return table(
        {"Model": name, "True": pair.true, "Predicted": pair.predicted, "Images": pair.count}
        for name, model in zip(names, comparison.models, strict=True)
        for pair in model.test.most_confused
    )


def cleaned_table(comparison: Comparison, names: Sequence[str]) -> Table:
    """Tabulate the results without the images whose labels are known to be wrong."""
    known = len(known_label_errors().errors)
    return table(
        {
            "Model": name,
            "All images, %": percent(model.test.accuracy),
            "Without, %": percent(cleaned.accuracy),
            "95 % interval": interval(cleaned.interval),
            f"Counted wrong of {known}": len(cleaned.counted_wrong),
            "As people said": sum(answer.agrees_with_people for answer in cleaned.counted_wrong),
        }
        for name, model in zip(names, comparison.models, strict=True)
        if (cleaned := model.without_label_errors)
    )
