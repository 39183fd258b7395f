"""What is compared: the accuracy, calibration, cost, training and latency of a model."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from mnist_lightning.comparison.schema import ComparedModel, Comparison
from mnist_lightning.evaluation.latency import TABLE_BATCH_SIZES
from mnist_lightning.reporting.tables import by_type, duration, four, percent, three
from mnist_lightning.terminal.wording import count

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


def _without_label_errors(model: ComparedModel) -> object:
    return model.without_label_errors and model.without_label_errors.accuracy


def _counted_wrong(model: ComparedModel) -> object:
    return model.without_label_errors and len(model.without_label_errors.counted_wrong)


def _accuracy(comparison: Comparison) -> list[Quantity]:
    label, wrong = "Accuracy without label errors, %", "Label errors counted as errors"
    cleaned = [
        Quantity("accuracy_without_label_errors", label, _without_label_errors, max, percent),
        Quantity("label_errors_counted_wrong", wrong, _counted_wrong),
    ]
    return [
        Quantity("test_accuracy", "Test accuracy, %", lambda m: m.test.accuracy, max, percent),
        Quantity(
            "accuracy_low", "… lower 95 % limit", lambda m: m.test.interval.low, None, percent
        ),
        Quantity(
            "accuracy_high", "… upper 95 % limit", lambda m: m.test.interval.high, None, percent
        ),
        Quantity("errors", f"Errors of {comparison.dataset.test:,}", lambda m: m.test.errors, min),
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
