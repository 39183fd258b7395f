"""``python scripts/report.py``: bring the numbers in the documents up to date with the records."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_lightning.errors import OutputError, UserError
from mnist_lightning.records.artefacts import table_order
from mnist_lightning.terminal.parser import CommandParser, run_command

if TYPE_CHECKING:
    from mnist_lightning.records.record import Record
    from mnist_lightning.reporting.report_blocks import Evidence
    from mnist_lightning.robustness.error_rates import Robustness

DOCUMENTS = ("README.md", "technical_report.md", "README.tr.md")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: The command line without the program's name; None takes that of the process.

    Returns:
        The exit status: 0; 1 when ``--check`` finds a stale part; 2 when the user has something
        to mend.
    """
    return run_command(lambda: _run(_parser().parse_args(argv)))


def _run(arguments: Namespace) -> int:
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
        print("bring them up to date with `python scripts/report.py`", file=sys.stderr)
        return 1
    return 0


def _read_text(document: Path) -> str:
    try:
        return document.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise UserError(f"{document} is not text in UTF-8: give a Markdown document.") from None


def read_evidence(output_dir: Path) -> Evidence:
    """Read all records that a report may speak of.

    Args:
        output_dir: Folder of the artefacts.

    Returns:
        The records, the comparison and the seeds; where there are none, an empty report.

    Raises:
        OutputError: A record is damaged, or the comparison or the robustness is of
            other models than these.
    """
    from mnist_lightning.comparison.schema import FILE_NAME, read_comparison
    from mnist_lightning.comparison.seed_study import read_seeds, study_seeds
    from mnist_lightning.records.record import read_record
    from mnist_lightning.reporting.report_blocks import Evidence

    paths = output_dir.glob("*_metrics.json")
    records = sorted(
        map(read_record, paths),
        key=lambda record: table_order(record.model.name),
    )
    path = output_dir / FILE_NAME
    comparison = read_comparison(path) if path.is_file() else None
    if comparison:
        _check_current(output_dir, [(m.name, m.record.sha256) for m in comparison.models])
    seeds = study_seeds({record.model.name: read_seeds(output_dir, record) for record in records})
    return Evidence(tuple(records), comparison, seeds, _read_robustness(output_dir, records))


def _read_robustness(output_dir: Path, records: Sequence[Record]) -> Robustness | None:
    from mnist_lightning.robustness.error_rates import FILE_NAME, read_robustness

    path = output_dir / FILE_NAME
    if not path.is_file():
        return None
    robustness = read_robustness(path)
    files = {record.model.name: record.model.file.sha256 for record in records}
    for model in robustness.models:
        if files.get(model.name) != model.file.sha256:
            raise OutputError(
                f"{path} speaks of another {model.file.name} than {model.name}_metrics.json: "
                "make it again with `python scripts/robustness.py`."
            )
    return robustness


def _check_current(output_dir: Path, compared: Sequence[tuple[str, str]]) -> None:
    from mnist_lightning.files.identity import describe_file

    for name, sha256 in compared:
        path = output_dir / f"{name}_metrics.json"
        if not path.is_file() or describe_file(path).sha256 != sha256:
            raise OutputError(
                f"The comparison in {output_dir} was made with another {path.name}: make it again "
                "with `python scripts/compare.py`."
            )


def _parser() -> CommandParser:
    parser = CommandParser(
        "report.py",
        "Fill the parts of documents between <!-- generated:NAME --> and <!-- end --> with what "
        "the records say.",
    )
    parser.add_argument(
        "documents",
        type=Path,
        nargs="*",
        default=[Path(name) for name in DOCUMENTS],
        metavar="FILE",
        help=f"documents to fill (default: {' '.join(DOCUMENTS)})",
    )
    parser.add_output_dir("folder of the records (default: output)")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit with 1 if a part is stale"
    )
    return parser
