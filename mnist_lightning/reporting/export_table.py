"""The files that a model was exported to: a table, and whether 8-bit integers were worth it."""

from mnist_lightning.records.exported_files import Exports, Quantisation
from mnist_lightning.reporting.tables import Table, percent, table
from mnist_lightning.terminal.wording import count, signed


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
    if exports.quantisation is not None:
        lines.append(describe_quantisation(exports.quantisation))
    return "\n".join(lines)


def describe_quantisation(int8: Quantisation) -> str:
    """State the size, accuracy and speed of the int8 file, and whether it was kept."""
    facts = (
        f"{int8.bytes / 1e3:,.0f} kB, accuracy {percent(int8.accuracy)} % "
        f"({signed(100 * int8.accuracy_change)} points), {int8.speedup_single:.2f} times as fast "
        f"with one image a call and {int8.speedup_batched:.2f} times with {int8.batch_size} as the "
        f"float file on this processor ({int8.processor}, {count(int8.threads, 'thread')})"
    )
    if int8.file is None:
        return f"int8 ONNX was not kept, because it is not faster in both: {facts}"
    return f"{int8.file.name}: {facts}"
