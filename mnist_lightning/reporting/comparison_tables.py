"""The tables of a comparison: models side by side, pairs, errors, latency.

Each takes the names that it calls the models by: titles, letters or prefixes of files.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mnist_lightning.comparison.conclusion import count, p_text, signed
from mnist_lightning.comparison.schema import ComparedModel, ComparedPair, Comparison
from mnist_lightning.comparison.verdict import how_measured, mean_accuracy, spread
from mnist_lightning.data.digits import CLASSES
from mnist_lightning.evaluation.label_errors import known_label_errors
from mnist_lightning.evaluation.latency import TABLE_BATCH_SIZES
from mnist_lightning.reporting.tables import (
    Table,
    by_type,
    duration,
    four,
    interval,
    percent,
    table,
    texts,
    three,
)
from mnist_lightning.robustness.error_rates import Robustness

MIB = 2**20


@dataclass(frozen=True)
class Quantity:
    """One thing that is compared: a column of the table of models.

    Attributes:
        key: Its name in the CSV file and in TensorBoard, with the unit of ``value``.
        label: What it is, for people, with its unit.
        value: Reads it from a model; None if it is not known.
        better: ``max`` or ``min``; None if neither is better.
        show: Formats it; see ``texts`` for the default.
    """

    key: str
    label: str
    value: Callable[[ComparedModel], object]
    better: Callable[[Iterable[Any]], Any] | None = None
    show: Callable[[Any], str] = by_type

    def best(self, values: list[Any], shown: list[str]) -> list[bool]:
        """Find the best values, and those that read like it; none if all are equal."""
        known = [value for value in values if value is not None]
        if self.better is None or len(set(known)) < 2:
            return [False] * len(values)
        text = shown[values.index(self.better(known))]
        return [one == text for one in shown]


def heading(comparison: Comparison) -> str:
    """State what is compared on what."""
    dataset = comparison.dataset
    return (
        f"{len(comparison.models)} models on the same {dataset.test:,} test images of "
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
            "Measured on": how_measured(comparison, model),
            "Uncertainty": spread(comparison, model),
            "One image, ms": model.point(1, 1).p50_ms,
            "Parameters": model.cost.parameters.total,
            **({"Corrupted, errors in %": errors.get(model.name)} if robustness else {}),
        }
        for name, model in zip(names, comparison.models, strict=True)
    )
    return table(rows, {"Test accuracy, %": percent, "Corrupted, errors in %": percent})


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


def quantities(comparison: Comparison) -> dict[str, list[Quantity]]:
    """List what is compared, by group."""
    latency = [
        quantity
        for threads in comparison.benchmark.threads
        for batch in TABLE_BATCH_SIZES
        for quantity in _latency(threads, batch)
    ]
    return {
        "Accuracy": _accuracy(comparison),
        "Calibration": _CALIBRATION,
        "Cost": _COST,
        "Training": _TRAINING,
        "CPU inference": latency,
    }


def _mebibytes(value: float) -> str:
    return three(value / MIB)


def _millions(value: float) -> str:
    return three(value / 1e6)


def _memory(model: ComparedModel) -> int | None:
    memory = model.cost.memory
    return None if memory is None else memory.peak_bytes - memory.baseline_bytes


_CALIBRATION = [
    Quantity("ece", "ECE (15 bins), as trained", lambda m: m.calibration.raw.ece, min, four),
    Quantity("ece_scaled", "ECE, calibrated", lambda m: m.calibration.scaled.ece, min, four),
    Quantity("brier", "Brier score, as trained", lambda m: m.calibration.raw.brier, min, four),
    Quantity(
        "brier_scaled", "Brier score, calibrated", lambda m: m.calibration.scaled.brier, min, four
    ),
    Quantity("nll", "NLL, as trained", lambda m: m.calibration.raw.nll, min, four),
    Quantity("nll_scaled", "NLL, calibrated", lambda m: m.calibration.scaled.nll, min, four),
    Quantity("temperature", "Temperature", lambda m: m.calibration.temperature),
]
_COST = [
    Quantity("parameters", "Parameters", lambda m: m.cost.parameters.total, min),
    Quantity("trainable_parameters", "… trained", lambda m: m.cost.parameters.trainable),
    Quantity(
        "multiply_accumulates",
        "Multiply-accumulates, million",
        lambda m: m.cost.multiply_accumulates,
        min,
        _millions,
    ),
    Quantity("file_bytes", "Exported file, MiB", lambda m: m.cost.file_bytes, min, _mebibytes),
    Quantity("memory_bytes", "Memory for 256 images, MiB", _memory, min, _mebibytes),
]
# Without a best value: the times may come from different machines.
_TRAINING = [
    Quantity("training_seconds", "Training time", lambda m: m.training.seconds, show=duration),
    Quantity("training_device", "… on", lambda m: m.training.accelerator),
]


def _accuracy(comparison: Comparison) -> list[Quantity]:
    def errors(model: ComparedModel) -> int:
        return model.test.n - model.test.correct

    def without(model: ComparedModel) -> object:
        return model.without_label_errors and model.without_label_errors.accuracy

    def counted(model: ComparedModel) -> object:
        return model.without_label_errors and len(model.without_label_errors.counted_wrong)

    label, wrong = "Accuracy without label errors, %", "Label errors counted as errors"
    cleaned = [
        Quantity("accuracy_without_label_errors", label, without, max, percent),
        Quantity("label_errors_counted_wrong", wrong, counted),
    ]
    return [
        Quantity("test_accuracy", "Test accuracy, %", lambda m: m.test.accuracy, max, percent),
        Quantity(
            "accuracy_low", "… lower 95 % limit", lambda m: m.test.interval.low, None, percent
        ),
        Quantity(
            "accuracy_high", "… upper 95 % limit", lambda m: m.test.interval.high, None, percent
        ),
        Quantity("errors", f"Errors of {comparison.dataset.test:,}", errors, min),
        *(cleaned if comparison.dataset.is_standard else ()),
        Quantity("macro_f1", "Macro F1", lambda m: m.test.macro_f1, max, four),
    ]


def _latency(threads: int, batch: int) -> list[Quantity]:
    def read(name: str) -> Callable[[ComparedModel], object]:
        return lambda model: getattr(model.point(threads, batch), name)

    where, end = f"{batch} a call, {count(threads, 'thread')}", f"batch{batch}_threads{threads}"
    speed, rate = f"images_per_second_{end}", read("images_per_second")
    return [
        Quantity(f"p50_ms_{end}", f"{where}, ms/image", read("p50_ms"), min),
        Quantity(f"p95_ms_{end}", "… 95th percentile", read("p95_ms"), min),
        Quantity(f"p99_ms_{end}", "… 99th percentile", read("p99_ms"), min),
        Quantity(speed, f"… images/s, {batch} a call", rate, max),
    ]


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
