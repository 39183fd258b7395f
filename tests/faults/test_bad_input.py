"""One table for every command: wrong words and wrong files end in one line, and harm nothing.

A new command gets a row in ``COMMANDS`` and a table of its own beside the others.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from compare_and_report_mistakes import COMPARE, REPORT
from ensemble_mistakes import ENSEMBLE
from mistake import Mistake
from train_mistakes import TRAIN
from use_mistakes import DEMO, EXPORT, PREDICT, ROBUSTNESS

from mnist_lightning.commands import (
    compare,
    demo,
    ensemble,
    export,
    predict,
    report,
    robustness,
    train,
)

COMMANDS = {
    "train": (train.main, TRAIN),
    "compare": (compare.main, COMPARE),
    "report": (report.main, REPORT),
    "predict": (predict.main, PREDICT),
    "export": (export.main, EXPORT),
    "robustness": (robustness.main, ROBUSTNESS),
    "demo": (demo.main, DEMO),
    "ensemble": (ensemble.main, ENSEMBLE),
}
ROWS = [(command, name) for command, (_, table) in COMMANDS.items() for name in table]
pytestmark = pytest.mark.usefixtures("_no_network", "_no_hang")


def snapshot(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def check_line(mistake: Mistake, stderr: str) -> None:
    # What compare says of the models and of the data comes before; neither is about the mistake.
    lines = [line for line in stderr.splitlines() if not line.startswith(("leaving out ", "INFO:"))]
    assert len(lines) == 1, stderr
    assert lines[0].startswith("error: ")
    assert mistake.culprit in lines[0]
    assert mistake.remedy in lines[0]


def test_the_table_is_long_enough() -> None:
    assert len(ROWS) >= 60


@pytest.mark.parametrize(("command", "name"), ROWS, ids=map(": ".join, ROWS))
def test_mistake_ends_in_one_line_with_exit_2_and_changes_no_file(
    command: str, name: str, user: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main, table = COMMANDS[command]
    mistake = table[name]
    if mistake.spoil:
        mistake.spoil(user)
    before = snapshot(user)
    assert main(mistake.words) == 2
    check_line(mistake, capsys.readouterr().err)
    assert snapshot(user) == before


@pytest.mark.parametrize(
    ("command", "name"),
    [
        *(("train", "unknown model"), ("compare", "stray word"), ("report", "unknown option")),
        *(("predict", "no file"), ("export", "stray word"), ("robustness", "stray word")),
        *(("demo", "missing model"), ("ensemble", "stray word")),
    ],
)
def test_script_answers_a_mistake_like_its_function(command: str, name: str, user: Path) -> None:
    mistake = COMMANDS[command][1][name]
    root = Path(__file__).parents[2]
    before = snapshot(user)
    done = subprocess.run(
        [sys.executable, str(root / "scripts" / f"{command}.py"), *mistake.words],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert (done.returncode, done.stdout) == (2, "")
    check_line(mistake, done.stderr)
    assert snapshot(user) == before
