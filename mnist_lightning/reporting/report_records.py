"""Parts of the technical report that single records are enough for."""

import re
from collections.abc import Sequence

from mnist_lightning.records.record import Record
from mnist_lightning.reporting.comparison_rows import UNKNOWN, duration, percent
from mnist_lightning.reporting.comparison_text import table


def data(records: Sequence[Record]) -> str:
    """Table of the data that each model was trained, selected and tested on."""
    return table(
        ["Model", "Dataset", "Training", "Validation", "Test", "Fingerprint"],
        [
            [
                record.model.title,
                record.dataset.name,
                f"{record.dataset.train:,}",
                f"{record.dataset.validation:,}",
                f"{record.dataset.test:,}",
                f"`{record.dataset.fingerprint[:12]}`",
            ]
            for record in records
        ],
    )


def models(records: Sequence[Record]) -> str:
    """Table of the networks."""
    return table(
        ["Model", "Parameters", "Trained", "Started from", "Exported file"],
        [
            [
                record.model.title,
                f"{record.model.parameters.total:,}",
                f"{record.model.parameters.trainable:,}",
                record.model.weights,
                f"{record.model.file.bytes / 1e6:.2f} MB",
            ]
            for record in records
        ],
    )


def training(records: Sequence[Record]) -> str:
    """Table of the trainings."""
    return table(
        ["Model", "Seed", "Epochs", "Best epoch", "Steps", "Time", "On", "Precision"],
        [
            [
                record.model.title,
                ", ".join(map(str, record.seeds)),
                str(record.training.epochs),
                str(record.training.best_epoch or UNKNOWN),
                f"{record.training.steps:,}",
                duration(record.training.seconds),
                _device(record),
                record.training.precision,
            ]
            for record in records
        ],
    )


def results(records: Sequence[Record]) -> str:
    """Table of the results on the test images."""
    return table(
        ["Model", "Test accuracy", "95 % interval (Wilson)", "Errors", "Macro F1", "Validation"],
        [
            [
                record.model.title,
                f"{percent(record.test.accuracy)} %",
                f"{percent(record.test.interval.low)} to {percent(record.test.interval.high)} %",
                f"{record.test.n - record.test.correct:,} of {record.test.n:,}",
                f"{record.test.macro_f1:.4f}",
                f"{percent(record.validation.accuracy)} %",
            ]
            for record in records
        ],
    )


def errors(records: Sequence[Record]) -> str:
    """Most confused digits and the weakest digits of each model."""
    lines = []
    for record in records:
        pairs = ", ".join(
            f"{pair.true} taken for {pair.predicted} ({pair.count})"
            for pair in record.test.most_confused[:5]
        )
        weakest = sorted(record.test.per_class, key=lambda digit: digit.f1)[:3]
        scores = ", ".join(f"{digit.digit} ({digit.f1:.4f})" for digit in weakest)
        lines.append(
            f"- **{record.model.title}**: most confused {pairs or 'none'}; lowest F1 {scores}."
        )
    return "\n".join(lines)


def reproduce(records: Sequence[Record]) -> str:
    """Give the command lines behind the records."""
    commands = [command for record in records for command in record.commands]
    return "\n".join(["```bash", *commands, "python scripts/compare.py", "```"])


def versions(records: Sequence[Record]) -> str:
    """Table of machines, commits and versions."""
    names = list(dict.fromkeys(name for r in records for name in r.environment.versions))
    return table(
        ["", *(record.model.title for record in records)],
        [
            ["date (UTC)", *(record.environment.created for record in records)],
            ["commit", *(_commit(record) for record in records)],
            ["processor", *(record.environment.processor for record in records)],
            ["GPU", *(record.environment.gpu or "none" for record in records)],
            ["Python", *(record.environment.python for record in records)],
            *([name, *(r.environment.versions.get(name, "") for r in records)] for name in names),
        ],
    )


def results_in_turkish(records: Sequence[Record]) -> str:
    """Table of the results for Turkish readers, with their decimal comma."""

    def number(text: str) -> str:
        return text.translate(str.maketrans(",.", ".,"))

    return table(
        ["Model", "Test doğruluğu", "%95 güven aralığı", "Hata sayısı", "Parametre sayısı"],
        [
            [
                _in_turkish(record.model.title),
                "%" + number(percent(record.test.accuracy)),
                f"%{number(percent(record.test.interval.low))} – "
                f"%{number(percent(record.test.interval.high))}",
                f"{number(f'{record.test.n:,}')} görüntüde "
                f"{number(f'{record.test.n - record.test.correct:,}')}",
                number(f"{record.model.parameters.total:,}"),
            ]
            for record in records
        ],
    )


def _in_turkish(title: str) -> str:
    title = title.replace("random initialisation", "rastgele başlangıç")
    return re.sub(r"ensemble of (\d+)", r"\1 ağın ortalaması", title)


def _device(record: Record) -> str:
    count = record.training.devices
    kind = record.training.accelerator
    name = (kind != "cpu" and record.environment.gpu) or record.environment.processor
    return f"{count} x {name}" if count > 1 else name


def _commit(record: Record) -> str:
    commit = record.environment.commit
    if commit is None:
        return "unknown"
    return f"`{commit[:12]}`{' with changes' if record.environment.dirty else ''}"
