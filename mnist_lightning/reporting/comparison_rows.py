"""The rows that every table of a comparison shows: in the terminal, Markdown, CSV and HTML."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mnist_lightning.comparison.schema import ComparedModel, Comparison
from mnist_lightning.evaluation.latency import TABLE_BATCH_SIZES

MIB = 2**20
UNKNOWN = "n/a"


@dataclass(frozen=True)
class Row:
    """One quantity of every model.

    Attributes:
        key: Name of the column in the CSV file, with its unit.
        label: What it is, for people, with its unit.
        values: The quantity of each model, in the units of ``key``; None where it is not known.
        texts: The same for people.
        better: ``higher``, ``lower`` or, where neither is better, empty.
        group: Heading above it.
    """

    key: str
    label: str
    values: tuple[float | None, ...]
    texts: tuple[str, ...]
    better: str
    group: str

    @property
    def best(self) -> tuple[bool, ...]:
        """Whether each model has the best value; none has where all are alike."""
        known = [value for value in self.values if value is not None]
        if not self.better or len(set(known)) < 2:
            return (False,) * len(self.values)
        target = max(known) if self.better == "higher" else min(known)
        # What reads the same is not told apart.
        shown = self.texts[self.values.index(target)]
        return tuple(text == shown for text in self.texts)


@dataclass(frozen=True)
class _Group:
    """Makes the rows under one heading."""

    name: str
    models: Sequence[ComparedModel]

    def row(
        self,
        key: str,
        label: str,
        value: Callable[[ComparedModel], float | None],
        text: Callable[[float], str],
        better: str = "lower",
    ) -> Row:
        values = tuple(value(model) for model in self.models)
        texts = tuple(UNKNOWN if found is None else text(found) for found in values)
        return Row(key, label, values, texts, better, self.name)


def comparison_rows(comparison: Comparison) -> list[Row]:
    """List what is compared.

    Args:
        comparison: The comparison.

    Returns:
        The rows, group by group.
    """
    return [
        *_accuracy(comparison),
        *_calibration(comparison.models),
        *_cost(comparison.models),
        *_training(comparison.models),
        *_latency(comparison),
    ]


def percent(share: float) -> str:
    """Format a share, e.g. ``99.62``."""
    return f"{100 * share:.2f}"


def _accuracy(comparison: Comparison) -> list[Row]:
    group = _Group("Accuracy", comparison.models)
    n = comparison.dataset.test
    rows = [
        group.row(
            "test_accuracy", "Test accuracy, %", lambda m: m.test.accuracy, percent, "higher"
        ),
        group.row("accuracy_low", "  lower 95 % limit", lambda m: m.test.interval.low, percent, ""),
        group.row(
            "accuracy_high", "  upper 95 % limit", lambda m: m.test.interval.high, percent, ""
        ),
        group.row(
            "errors", f"Errors of {n:,}", lambda m: m.test.n - m.test.correct, "{:,.0f}".format
        ),
    ]
    if comparison.dataset.is_standard:
        rows += [
            group.row(
                "accuracy_without_label_errors",
                "Accuracy without label errors, %",
                _cleaned_accuracy,
                percent,
                "higher",
            ),
            group.row(
                "label_errors_counted_wrong",
                "Label errors counted as its errors",
                _counted_wrong,
                "{:.0f}".format,
                "",
            ),
        ]
    f1 = group.row("macro_f1", "Macro F1", lambda m: m.test.macro_f1, "{:.4f}".format, "higher")
    return [*rows, f1]


def _calibration(models: Sequence[ComparedModel]) -> list[Row]:
    group = _Group("Calibration", models)
    four, two = "{:.4f}".format, "{:.2f}".format
    return [
        group.row("ece", "ECE (15 bins)", lambda m: m.calibration.raw.ece, four),
        group.row(
            "ece_scaled", "ECE, temperature-scaled", lambda m: m.calibration.scaled.ece, four
        ),
        group.row("brier", "Brier score", lambda m: m.calibration.raw.brier, four),
        group.row("brier_scaled", "Brier, scaled", lambda m: m.calibration.scaled.brier, four),
        group.row("nll", "Neg. log-likelihood", lambda m: m.calibration.raw.nll, four),
        group.row("nll_scaled", "NLL, scaled", lambda m: m.calibration.scaled.nll, four),
        group.row("temperature", "Temperature", lambda m: m.calibration.temperature, two, ""),
    ]


def _cost(models: Sequence[ComparedModel]) -> list[Row]:
    group = _Group("Cost", models)
    return [
        group.row("parameters", "Parameters", lambda m: m.cost.parameters.total, "{:,.0f}".format),
        group.row(
            "trainable_parameters",
            "  of these trained",
            lambda m: m.cost.parameters.trainable,
            "{:,.0f}".format,
            "",
        ),
        group.row(
            "multiply_accumulates",
            "Multiply-accumulates, million",
            lambda m: m.cost.multiply_accumulates,
            lambda value: f"{value / 1e6:,.2f}",
        ),
        group.row(
            "file_bytes",
            "Exported file, MiB",
            lambda m: m.cost.file_bytes,
            lambda v: f"{v / MIB:,.2f}",
        ),
        group.row(
            "memory_bytes",
            "Memory for 256 images, MiB",
            _memory,
            lambda value: f"{value / MIB:,.0f}",
        ),
    ]


def _training(models: Sequence[ComparedModel]) -> list[Row]:
    group = _Group("Training", models)
    # No best one: the times may be of different machines.
    time = group.row(
        "training_seconds", "Training time", lambda m: m.training.seconds, duration, ""
    )
    device = Row(
        "training_device",
        "  on",
        (None,) * len(models),
        tuple(model.training.accelerator for model in models),
        "",
        "Training",
    )
    return [time, device]


def _latency(comparison: Comparison) -> list[Row]:
    group = _Group("CPU inference, exported file", comparison.models)
    rows = []
    for threads in comparison.benchmark.threads:
        for batch in TABLE_BATCH_SIZES:
            where = f"{batch} a call, {threads} thread{'s'[: threads != 1]}"
            suffix = f"batch{batch}_threads{threads}"

            def point(
                name: str, t: int = threads, b: int = batch
            ) -> Callable[[ComparedModel], float]:
                return lambda model: float(getattr(model.point(t, b), name))

            rows += [
                group.row(f"p50_ms_{suffix}", f"{where}, ms/image", point("p50_ms"), three),
                group.row(f"p95_ms_{suffix}", "  95th percentile", point("p95_ms"), three),
                group.row(f"p99_ms_{suffix}", "  99th percentile", point("p99_ms"), three),
                group.row(
                    f"images_per_second_{suffix}",
                    f"  images/s, {batch} a call",
                    point("images_per_second"),
                    lambda value: f"{value:,.0f}" if value >= 100 else f"{value:.1f}",
                    "higher",
                ),
            ]
    return rows


def _cleaned_accuracy(model: ComparedModel) -> float | None:
    cleaned = model.without_label_errors
    return None if cleaned is None else cleaned.accuracy


def _counted_wrong(model: ComparedModel) -> float | None:
    cleaned = model.without_label_errors
    return None if cleaned is None else len(cleaned.counted_wrong)


def _memory(model: ComparedModel) -> float | None:
    memory = model.cost.memory
    return None if memory is None else memory.peak_bytes - memory.baseline_bytes


def three(value: float) -> str:
    """Format with three significant digits and without an exponent."""
    return f"{value:,.0f}" if value >= 100 else f"{value:#.3g}"


def duration(seconds: float) -> str:
    """Format a time, e.g. ``8.3 s``, ``12 min`` or ``1 h 5 min``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
