"""A model card (Mitchell et al.: Model Cards for Model Reporting, FAT* 2019), as Markdown."""

from mnist_lightning.evaluation.calibration import Calibration
from mnist_lightning.evaluation.rejection import Rejection
from mnist_lightning.records.exported_files import Exports
from mnist_lightning.records.record import Record
from mnist_lightning.reporting.export_table import describe_reduced, exports_table
from mnist_lightning.reporting.rendering import render
from mnist_lightning.reporting.tables import four, interval, percent


def model_card(
    record: Record,
    exports: Exports | None,
    calibration: Calibration | None,
    rejection: Rejection | None,
) -> str:
    """Write the card of a model, with the YAML front matter that model hubs read.

    Args:
        record: Its record; every number comes from here or from the other three.
        exports: Its files; None if it has only the one that its training wrote.
        calibration: Of its confidence; None without its predictions.
        rejection: When it should give no answer; None without its predictions.

    Returns:
        Markdown, with a newline at the end. Text from the record is escaped.
    """
    return render(
        "card.md",
        record=record,
        # The embedded images are a part of MNIST.
        dataset_type="mnist" if record.dataset.name.startswith("MNIST") else "custom",
        worst=min(record.test.per_class, key=lambda digit: digit.recall),
        exports=exports,
        exports_table=exports and exports_table(exports).to_markdown(),
        reduced=[describe_reduced(one) for one in exports.reduced] if exports else [],
        calibration=calibration,
        rejection=rejection,
        percent=percent,
        interval=interval,
        four=four,
    )
