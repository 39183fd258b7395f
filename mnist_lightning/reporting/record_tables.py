"""What the documents say about single models: one table, of which each document shows columns."""

from collections.abc import Sequence

from mnist_lightning.comparison.titles import short_titles
from mnist_lightning.records.record import Record
from mnist_lightning.reporting import tables

#: The columns that each generated block shows next to the model.
COLUMNS = {
    "data": ["Dataset", "Training images", "Validation images", "Test images", "Fingerprint"],
    "models": ["Parameters", "Trained parameters", "Started from", "Exported file, MB"],
    "training": ["Seed", "Epochs", "Steps", "Time", "On", "Threads", "Precision"],
    "results": [
        "Test accuracy, %",
        "95 % interval (Wilson)",
        "Errors",
        "Test images",
        "Macro F1",
        "Validation accuracy, %",
    ],
    "errors": ["Most confused", "Lowest F1"],
}
FORMATS: tables.Formats = {
    "Exported file, MB": "{:.2f}".format,
    "Time": tables.duration,
    "Test accuracy, %": tables.percent,
    "Validation accuracy, %": tables.percent,
    "Macro F1": tables.four,
}


def record_table(records: Sequence[Record]) -> tables.Table:
    """Tabulate the models, a row each."""
    titles = short_titles([record.model for record in records])
    rows = ({"Model": titles[record.model.name], **_row(record)} for record in records)
    return tables.table(rows, FORMATS)


def block(records: Sequence[Record], name: str) -> str:
    """Format the columns of one generated block as Markdown."""
    return record_table(records).apply(lambda one: one[COLUMNS[name]]).to_markdown()


def versions(records: Sequence[Record]) -> str:
    """Format the machines, commits and versions as Markdown, a column for each model."""
    titles = short_titles([record.model for record in records])
    rows = [
        {
            "": titles[record.model.name],
            "date (UTC)": record.environment.created,
            "commit": _commit(record),
            "processor": record.environment.processor,
            "GPU": record.environment.gpu or "none",
            "Python": record.environment.python,
            **record.environment.versions,
        }
        for record in records
    ]
    return tables.table(rows).apply(lambda one: one.T).to_markdown()


def _row(record: Record) -> dict[str, object]:
    model, data, training, test = record.model, record.dataset, record.training, record.test
    weakest = sorted(test.per_class, key=lambda digit: digit.f1)[:3]
    return {
        "Dataset": data.name,
        "Training images": data.train,
        "Validation images": data.validation,
        "Test images": data.test,
        "Fingerprint": data.fingerprint[:12],
        "Parameters": model.parameters.total,
        "Trained parameters": model.parameters.trainable,
        "Started from": model.weights,
        "Exported file, MB": model.file.bytes / 1e6,
        "Seed": ", ".join(map(str, record.seeds)),
        "Epochs": training.epochs,
        "Steps": training.steps,
        "Time": training.seconds,
        "On": _device(record),
        "Threads": training.threads,
        "Precision": training.precision,
        "Test accuracy, %": test.accuracy,
        "95 % interval (Wilson)": tables.interval(test.interval),
        "Errors": test.errors,
        "Macro F1": test.macro_f1,
        "Validation accuracy, %": record.validation.accuracy,
        "CPU threads": record.latency.threads,
        "One image, CPU, ms": record.latency.single.p50_ms,
        "Batches of 256, CPU, ms/image": record.latency.batched.p50_ms,
        "Most confused": ", ".join(
            f"{pair.true} read as {pair.predicted} ({pair.count})"
            for pair in test.most_confused[:5]
        )
        or "none",
        "Lowest F1": ", ".join(f"{digit.digit} ({digit.f1:.4f})" for digit in weakest),
    }


def _device(record: Record) -> str:
    count = record.training.devices
    kind = record.training.accelerator
    name = (kind != "cpu" and record.environment.gpu) or record.environment.processor
    return f"{count} x {name}" if count > 1 else name


def _commit(record: Record) -> str:
    commit = record.environment.commit
    if commit is None:
        return "unknown"
    return f"{commit[:12]}{' with changes' if record.environment.dirty else ''}"
