"""docs/platforms.md: its table comes from records, and no Python is claimed without one."""

import json
import re
from pathlib import Path

import pytest

from benchmarks import platforms
from mnist_lightning.reporting.fill import fill

ROOT = Path(__file__).parents[1]
REPORT = """<testsuites><testsuite errors="1" failures="2" skipped="3" tests="20">
</testsuite></testsuites>"""


def test_the_table_is_that_of_the_committed_records() -> None:
    text = platforms.DOCUMENT.read_text(encoding="utf-8")

    _, changed = fill(
        text, {"platforms": lambda: platforms.table(platforms.PUBLISHED)}, "platforms.md"
    )

    assert "<!-- generated:platforms -->" in text
    assert changed == [], "run python -m benchmarks.platforms"


def test_every_python_that_is_claimed_was_run() -> None:
    claimed = set(re.findall(r"Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text("utf-8")))
    records = [json.loads(path.read_text("utf-8")) for path in platforms.PUBLISHED.glob("*.json")]

    ran = {one["python"].rpartition(".")[0] for one in records if one["passed"]}
    assert claimed <= ran


@pytest.mark.parametrize(
    ("status", "report", "outcome"),
    [
        (0, None, "passes"),
        (0, REPORT, "passes: 14 passed, 3 failed, 3 skipped"),
        (1, REPORT, r"\*\*fails\*\*: 14 passed, 3 failed, 3 skipped"),
        (1, REPORT[:40], r"\*\*fails\*\*"),  # cut off, as on a full disk
        (2, None, r"\*\*fails\*\*"),
    ],
)
def test_a_run_becomes_a_row(
    status: int, report: str | None, outcome: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platforms, "LOCAL", tmp_path / "records")
    if report:
        (tmp_path / "junit.xml").write_text(report, encoding="utf-8")

    platforms.main(
        ["record", "all `tests`", f"--status={status}", f"--junit={tmp_path / 'junit.xml'}"]
    )

    *_, row = platforms.table(tmp_path / "records").splitlines()
    version = r"\d+\.\d+\.\S+"
    expected = (
        rf"\| {version} \| {version} \| {version} \| .+ \| all `tests` \| {outcome} \| 2.+ \|"
    )
    assert re.fullmatch(expected, row)


def test_rows_are_in_the_order_of_versions_as_numbers(tmp_path: Path) -> None:
    one = platforms.record("tests", 0)
    for python in ("3.10.13", "3.9.1"):
        text = json.dumps({**one, "python": python})
        (tmp_path / f"{python}.json").write_text(text, encoding="utf-8")

    rows = platforms.table(tmp_path).splitlines()[2:]

    assert [row.split(" | ")[0] for row in rows] == ["| 3.9.1", "| 3.10.13"]
