"""The files that a model was exported to: a table, and whether less precise ones are worth it."""

from mnist_lightning.records.exported_files import BFLOAT16, INT8, Exports, ReducedPrecision
from mnist_lightning.reporting.tables import Table, percent, table
from mnist_lightning.terminal.wording import count, signed

#: Why a file is not kept.
_REASONS = {
    INT8: f"{INT8} was not kept, because it is not faster in both",
    BFLOAT16: f"{BFLOAT16} was not kept, because it is not faster with batches, or changes a digit",
}


def exports_table(exports: Exports) -> Table:
    """Tabulate the files, and how well each agrees with the network it was made from."""
    return table(
        {
            "File": one.file.name,
            "Format": one.parity.format,
            "Size, kB": f"{one.file.bytes / 1e3:,.0f}",
            "Max. logit difference": f"{one.parity.max_abs_difference:.1e}",
            "Same digit, %": percent(one.parity.argmax_agreement),
            "Accuracy, %": percent(one.accuracy),
            "Images": f"{one.parity.n:,}",
        }
        for one in exports.files
    )


def describe_exports(exports: Exports) -> str:
    """Summarise the exports for the terminal."""
    lines = [
        f"{exports.model}, from {exports.source}, compared on the test images of {exports.dataset}",
        exports_table(exports).to_text(),
    ]
    return "\n".join([*lines, *map(describe_reduced, exports.reduced)])


def describe_reduced(reduced: ReducedPrecision) -> str:
    """State the size, accuracy and speed of a less precise file, and whether it was kept."""
    facts = (
        f"{reduced.bytes / 1e3:,.0f} kB, accuracy {percent(reduced.accuracy)} % "
        f"({signed(100 * reduced.accuracy_change)} points), {reduced.speedup_single:.2f} times as "
        f"fast with one image a call and {reduced.speedup_batched:.2f} times with "
        f"{reduced.batch_size} as the float32 file on this processor ({reduced.processor}, "
        f"{count(reduced.threads, 'thread')})"
    )
    if reduced.file is None:
        return f"{_REASONS[reduced.parity.format]}: {facts}"
    return f"{reduced.file.name}: {facts}"
