"""What was run with which versions on which system: records, and the table in docs/platforms.md.

``.ci/run`` and ``.ci/lowest`` end with ``python -m benchmarks.platforms record ...``, which writes
one record below ``build/platforms``, where git ignores it. To publish a record, move it to
``benchmarks/results/platforms`` and write the table with ``python -m benchmarks.platforms``.
"""

import argparse
import json
import platform
import xml.etree.ElementTree as ET
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mnist_lightning.records.environment import PACKAGE, source_revision
from mnist_lightning.reporting.fill import fill

ROOT = PACKAGE.parent
DOCUMENT = ROOT / "docs" / "platforms.md"
PUBLISHED = Path(__file__).with_name("results") / "platforms"
LOCAL = ROOT / "build" / "platforms"
PACKAGES = ("torch", "torchvision", "lightning")
HEADER = ("Python", "torch", "Lightning", "system", "what was run", "outcome", "date", "commit")


def record(what: str, status: int, junit: Path | None = None) -> dict[str, Any]:
    """Describe a run that has just ended in this environment.

    Args:
        what: What was run, in Markdown.
        status: Its exit status; 0 is a success.
        junit: The report of pytest's ``--junitxml``; it may be missing when the run ended before.

    Returns:
        The versions, the system, the date in UTC, the commit, ``passed`` and pytest's ``counts``.
    """
    commit, changed = source_revision(PACKAGE)
    return {
        "what": what,
        "passed": status == 0,
        "counts": _counts(junit) if junit is not None and junit.is_file() else None,
        "python": platform.python_version(),
        "versions": {name: version(name) for name in PACKAGES},
        "system": _system(),
        "date": f"{datetime.now(timezone.utc):%Y-%m-%d}",
        "commit": commit,
        "changed": changed,
    }


def _counts(junit: Path) -> dict[str, int] | None:
    """Count the tests of a report by outcome; an error in a fixture counts as a failure.

    A report that was cut off, as on a full disk, has no counts.
    """
    try:
        # A report that pytest has just written; no stranger's file.
        suites = list(ET.parse(junit).getroot().iter("testsuite"))
    except ET.ParseError:
        return None
    total = {
        name: sum(int(suite.get(name, 0)) for suite in suites)
        for name in ("tests", "failures", "errors", "skipped")
    }
    failed = total["failures"] + total["errors"]
    passed = total["tests"] - failed - total["skipped"]
    return {"passed": passed, "failed": failed, "skipped": total["skipped"]}


def _system() -> str:
    try:
        name = platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):  # not Linux
        name = f"{platform.system()} {platform.release()}"
    return f"{name}, {platform.machine()}"


def table(folder: Path) -> str:
    """Write the records of a folder as a Markdown table, by Python, torch and date."""
    records = [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*.json")]
    rows = [_row(one) for one in sorted(records, key=_order)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (HEADER, ["---"] * len(HEADER), *rows))


def _order(one: dict[str, Any]) -> tuple[Any, ...]:
    texts = (one["python"], one["versions"]["torch"].partition("+")[0])
    return *(tuple(map(int, text.split("."))) for text in texts), one["date"], one["what"]


def _row(one: dict[str, Any]) -> list[str]:
    outcome = "passes" if one["passed"] else "**fails**"
    if one["counts"]:
        outcome += f": {', '.join(f'{n:,} {name}' for name, n in one['counts'].items())}"
    commit = (one["commit"] or "unknown")[:8] + (" with changes" if one["changed"] else "")
    versions = (one["python"], one["versions"]["torch"], one["versions"]["lightning"])
    return [*versions, one["system"], one["what"], outcome, one["date"], commit]


def main(argv: list[str] | None = None) -> None:
    """Write a record of a run that has ended, or the table of the published ones."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.platforms")
    commands = parser.add_subparsers(dest="command")
    run = commands.add_parser("record", help="record a run of this environment that has ended")
    run.add_argument("what", help="what was run, in Markdown")
    run.add_argument("--status", type=int, required=True, help="its exit status")
    run.add_argument("--junit", type=Path, help="the report of pytest's --junitxml")
    arguments = parser.parse_args(argv)
    if arguments.command is None:
        text = DOCUMENT.read_text(encoding="utf-8")
        filled, _ = fill(text, {"platforms": lambda: table(PUBLISHED)}, DOCUMENT.name)
        DOCUMENT.write_text(filled, encoding="utf-8")
        return
    one = record(arguments.what, arguments.status, arguments.junit)
    name = f"{datetime.now():%Y-%m-%d_%H%M%S}_python{one['python']}_torch{one['versions']['torch']}"
    LOCAL.mkdir(parents=True, exist_ok=True)
    path = LOCAL / f"{name}.json"
    path.write_text(json.dumps(one, indent=1) + "\n", encoding="utf-8")
    print(path)


if __name__ == "__main__":
    main()
