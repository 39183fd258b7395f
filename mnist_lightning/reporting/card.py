"""A model card (Mitchell et al.: Model Cards for Model Reporting, FAT* 2019), as Markdown."""

from mnist_lightning.evaluation.calibration import Calibration
from mnist_lightning.evaluation.rejection import Rejection
from mnist_lightning.records.exported_files import Exports
from mnist_lightning.records.record import Record
from mnist_lightning.reporting.comparison_rows import percent
from mnist_lightning.reporting.export_table import describe_quantisation, exports_table


def model_card(
    record: Record,
    exports: Exports | None,
    calibration: Calibration | None,
    rejection: Rejection | None,
) -> str:
    """Write the card of a model.

    Args:
        record: Its record: every number comes from here or from the other three.
        exports: Its files; None where it has only the one of its training.
        calibration: Of its confidence; None without its predictions.
        rejection: When it had better give no answer; None without its predictions.

    Returns:
        Markdown, with a newline at the end.
    """
    sections = [
        _header(record),
        _use(),
        _data(record),
        _metrics(record),
        _calibration(calibration, rejection),
        _limits(record),
        _files(record, exports),
        "## Licence\n\nMIT, code and weights. MNIST is by Yann LeCun, Corinna Cortes and "
        "Christopher Burges; it is not distributed with the model.",
    ]
    return "\n\n".join(sections) + "\n"


def _header(record: Record) -> str:
    model, training = record.model, record.training
    commit = f"`{training.commit[:12]}`" if training.commit else "unknown (not a git checkout)"
    commands = ", then ".join(f"`{command}`" for command in record.commands)
    return (
        f"# Model card: {model.title}\n\n"
        f"Reads one handwritten digit. {model.parameters.total:,} parameters, started from "
        f"{model.weights}; {_training(record)}, chosen on validation images.\n\n"
        f"- Made with: {commands}\n"
        f"- Source: commit {commit}; {record.environment.created[:10]}\n"
        "- Input: `uint8 (N, 1, 28, 28)`, 0 is background and 255 is ink; nothing to prepare\n"
        "- Output: `float32 (N, 10)` logits, of the digits 0 to 9 in order"
    )


def _training(record: Record) -> str:
    training, members = record.training, record.members
    if members is None:
        return (
            f"{training.epochs} epochs with seed {training.seed}, the weights of epoch "
            f"{training.best_epoch}"
        )
    return (
        f"the mean of the probabilities of {len(members.seeds)} networks, trained for "
        f"{training.epochs} epochs in all with the seeds "
        f"{', '.join(map(str, record.seeds))}, each with the weights of its best epoch"
    )


def _use() -> str:
    return (
        "## Intended use\n\n"
        "Learning, teaching and comparing: a reference on MNIST, or on digits that were brought "
        "into its form (white on black, one digit, centred by its mass, 20 pixels high in a "
        "field of 28).\n\n"
        "Not meant for decisions about people or money, such as reading cheques, forms or exam "
        "sheets: nothing here was tested on them."
    )


def _data(record: Record) -> str:
    data = record.dataset
    standard = "the standard set" if data.is_standard else "not the standard MNIST"
    return (
        "## Data\n\n"
        f"{data.name}, {standard} (fingerprint `{data.fingerprint[:8]}`): {data.train:,} images "
        f"to train, {data.validation:,} to choose the epoch, {data.test:,} to test, used once."
    )


def _metrics(record: Record) -> str:
    test, validation = record.test, record.validation
    worst = min(test.per_class, key=lambda one: one.recall)
    pairs = ", ".join(
        f"{one.true} read as {one.predicted} ({one.count})" for one in test.most_confused[:3]
    )
    low, high, level = test.interval.low, test.interval.high, test.interval.level
    return (
        "## Metrics\n\n"
        f"| On the {test.n:,} test images | |\n| --- | ---: |\n"
        f"| Accuracy | {percent(test.accuracy)} % |\n"
        f"| {100 * level:.0f} % interval (Wilson) | {percent(low)} % to {percent(high)} % |\n"
        f"| Errors | {test.n - test.correct:,} |\n"
        f"| Macro F1 | {test.macro_f1:.4f} |\n"
        f"| Lowest recall of a digit | {percent(worst.recall)} % (digit {worst.digit}) |\n"
        f"| Most frequent mistakes | {pairs or 'none'} |\n"
        f"| For comparison: validation accuracy, flattered by the choice of the epoch | "
        f"{percent(validation.accuracy)} % |\n"
        f"| Time for one image | {record.latency.single.p50_ms:.2f} ms, median "
        f"({record.environment.processor}, {record.latency.threads} threads) |\n\n"
        "The interval covers the choice of test images, not the luck of the training's seed."
    )


def _calibration(calibration: Calibration | None, rejection: Rejection | None) -> str:
    if calibration is None or rejection is None:
        return (
            "## Calibration\n\nNot computed: the predictions of this model are not beside its "
            "record."
        )
    raw, scaled = calibration.raw, calibration.scaled
    refusing = (
        f"Answering only where the calibrated confidence is at least {rejection.threshold:.4f} "
        f"leaves {100 * rejection.coverage:.1f} % of the validation images, "
        f"{rejection.errors} of these {rejection.answered:,} read wrongly."
        if rejection.answered
        else "No threshold on the confidence keeps the errors on validation images that low."
    )
    return (
        "## Calibration\n\n"
        "| On the test images | as the file gives it | divided by the temperature "
        f"{calibration.temperature:.3f} |\n| --- | ---: | ---: |\n"
        f"| Expected calibration error | {raw.ece:.4f} | {scaled.ece:.4f} |\n"
        f"| Brier score | {raw.brier:.4f} | {scaled.brier:.4f} |\n"
        f"| Negative log-likelihood | {raw.nll:.4f} | {scaled.nll:.4f} |\n\n"
        f"The temperature was fitted on validation images. {refusing}"
    )


def _limits(record: Record) -> str:
    lines = [
        "It always names a digit, also for letters, empty images and noise, and can be sure of it.",
        "Confidence was calibrated on images like those of MNIST, not on photographs or screens.",
        "Dark digits on a bright ground, several digits, or digits that are not centred have to be "
        "brought into MNIST's form first.",
        "The writers of MNIST were American employees and pupils of about 1990: other ways to "
        "write a 1 or a 7 are rare in it.",
    ]
    if record.dataset.is_standard:
        lines.append(
            "About fifteen of the 10,000 test labels are wrong by human vote (cleanlab's study); a "
            "difference of a few images between two models says nothing."
        )
    else:
        lines.append("Its numbers are not comparable with those published for MNIST.")
    return "## Limits\n\n" + "\n".join(f"- {line}" for line in lines)


def _files(record: Record, exports: Exports | None) -> str:
    if exports is None:
        file, parity = record.model.file, record.export
        return (
            "## Files\n\n"
            f"`{file.name}` ({parity.format}, {file.bytes / 1e3:,.0f} kB): differs from the "
            f"network by at most {parity.max_abs_difference:.1e} in a logit, same digit on "
            f"{percent(parity.argmax_agreement)} % of {parity.n:,} test images. "
            "`scripts/export.py` writes other formats."
        )
    text = (
        f"## Files\n\n{exports_table(exports)}\n\nEach was loaded again and compared with the "
        f"network, in float32, on the {exports.dataset} test images (weights from "
        f"{exports.source}; commit `{(exports.commit or 'unknown')[:12]}`)."
    )
    if exports.quantisation is not None:
        text += f"\n\n{describe_quantisation(exports.quantisation)}."
    return text
