"""What an export says on the terminal, and its tables in documents."""

from mnist_lightning.records.exported_files import Exports, Quantisation
from mnist_lightning.reporting.comparison_rows import percent


def describe_exports(exports: Exports) -> str:
    """Say in a line a file what was written and how well it agrees with the network."""
    lines = [f"{exports.model}, from {exports.source}, compared on the test images of "]
    lines[0] += exports.dataset
    for one in exports.files:
        parity = one.parity
        lines.append(
            f"  {one.file.name}: {one.file.bytes / 1e3:,.0f} kB, differs by at most "
            f"{parity.max_abs_difference:.1e}, same digit on "
            f"{percent(parity.argmax_agreement)} % of {parity.n:,} images, "
            f"accuracy {percent(one.accuracy)} %"
        )
    if exports.quantisation is not None:
        lines.append(f"  {describe_quantisation(exports.quantisation)}")
    return "\n".join(lines)


def describe_quantisation(int8: Quantisation) -> str:
    """Say whether 8-bit integers were worth it."""
    change = f"{100 * int8.accuracy_change:+.2f}".replace("-", "−")
    speed = (
        f"{int8.speedup_single:.2f} times as fast with one image a call and "
        f"{int8.speedup_batched:.2f} times with {int8.batch_size}"
    )
    facts = (
        f"{int8.bytes / 1e3:,.0f} kB, accuracy {percent(int8.accuracy)} % ({change} points), "
        f"{speed} as the float file on this processor ({int8.processor}, {int8.threads} "
        f"thread{'s'[: int8.threads != 1]})"
    )
    if int8.file is None:
        return f"int8 ONNX was not kept, because it is not faster in both: {facts}"
    return f"{int8.file.name}: {facts}"


def exports_table(exports: Exports) -> str:
    """Return a Markdown table of the files."""
    rows = [
        "| File | Format | Size | Largest difference of a logit | Same digit | Accuracy |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    for one in exports.files:
        parity = one.parity
        rows.append(
            f"| `{one.file.name}` | {parity.format} | {one.file.bytes / 1e3:,.0f} kB | "
            f"{parity.max_abs_difference:.1e} | {percent(parity.argmax_agreement)} % of "
            f"{parity.n:,} | {percent(one.accuracy)} % |"
        )
    return "\n".join(rows)
