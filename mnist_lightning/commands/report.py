"""``python scripts/report.py``: update the numbers in the documents from the records."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_lightning.errors import UserError
from mnist_lightning.records.artefacts import PUBLISHED, RECORD, table_order
from mnist_lightning.terminal.parser import CommandParser, run_command

if TYPE_CHECKING:
    from mnist_lightning.reporting.report_blocks import Evidence

DOCUMENTS = ("README.md", "technical_report.md", "README.tr.md")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: The command line without the program's name; None takes that of the process.

    Returns:
        The exit status: 0; 1 when ``--check`` finds a stale block; 2 after an error that the user
        can fix.
    """
    return run_command(lambda: _run(_parser().parse_args(argv)))


def _run(arguments: Namespace) -> int:
    if arguments.publish:
        _publish(arguments)
    from mnist_lightning.files.storage import atomic_path
    from mnist_lightning.reporting.fill import fill
    from mnist_lightning.reporting.report_blocks import report_blocks

    blocks = report_blocks(read_evidence(arguments.output_dir))
    stale = False
    for document in arguments.documents:
        text = _read_text(document)
        filled, changed = fill(text, blocks, str(document))
        stale |= bool(changed)
        if not changed:
            print(f"{document}: up to date")
        elif arguments.check:
            print(f"{document}: stale: {', '.join(changed)}")
        else:
            with atomic_path(document) as path:
                path.write_text(filled, encoding="utf-8")
            print(f"{document}: updated {', '.join(changed)}")
    if stale and arguments.check:
        print("update them with `python scripts/report.py`", file=sys.stderr)
        return 1
    return 0


def _publish(arguments: Namespace) -> None:
    """Copy the finished runs into the published results, which the documents then describe."""
    from mnist_lightning.comparison.published_set import publish
    from mnist_lightning.learning_curve.cells import publish_curve

    done = publish(arguments.publish, arguments.output_dir)
    curve = publish_curve(arguments.publish, arguments.output_dir)
    for path in [*done.copied, *curve]:
        print(f"published {path}")
    for line in done.left_out:
        print(f"left out {line}", file=sys.stderr)


def _read_text(document: Path) -> str:
    from mnist_lightning.files.regular_file import check_regular

    check_regular(document)
    try:
        return document.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise UserError(f"{document} is not UTF-8 text: name a Markdown document.") from None


def read_evidence(output_dir: Path) -> Evidence:
    """Read everything that the documents may state.

    Args:
        output_dir: Folder of the artefacts.

    Returns:
        The records, the comparison, the seeds, the robustness and the learning curves, as far as
        there are any.

    Raises:
        OutputError: A record is damaged, or the comparison or the robustness was measured with
            other models than these.
    """
    from mnist_lightning.comparison.published_set import read_studies
    from mnist_lightning.comparison.seed_study import read_seeds, study_seeds
    from mnist_lightning.learning_curve.curve_schema import CURVE_FILE, read_curve
    from mnist_lightning.records.record import read_record
    from mnist_lightning.reporting.report_blocks import Evidence

    found = map(read_record, output_dir.glob(f"*{RECORD}"))
    records = sorted(found, key=lambda record: table_order(record.model.name))
    seeds = study_seeds({record.model.name: read_seeds(output_dir, record) for record in records})
    comparison, robustness = read_studies(output_dir, records)
    curve = read_curve(path) if (path := output_dir / CURVE_FILE).is_file() else None
    return Evidence(tuple(records), comparison, seeds, robustness, curve)


def _parser() -> CommandParser:
    parser = CommandParser(
        "report.py",
        "Update the blocks of documents between <!-- generated:NAME --> and <!-- end --> from the "
        "records.",
    )
    add = parser.add_argument
    documents = f"documents to update (default: {' '.join(DOCUMENTS)})"
    default = [Path(name) for name in DOCUMENTS]
    add("documents", type=Path, nargs="*", default=default, metavar="FILE", help=documents)
    published = Path("output", PUBLISHED)
    parser.add_output_dir(f"folder of the published results (default: {published})", published)
    publish = "first copy the finished runs in DIR (default: output) into the published results; "
    publish += "weights of a ResNet50 are left out"
    add("--publish", type=Path, nargs="?", const=Path("output"), metavar="DIR", help=publish)
    add("--check", action="store_true", help="write nothing; exit with 1 if a block is stale")
    return parser


if __name__ == "__main__":
    sys.exit(main())
