"""Output that ends early, that the terminal cannot show, or that would control the terminal."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mnist_lightning.errors import UserError
from mnist_lightning.terminal.logs import configure_logging
from mnist_lightning.terminal.parser import run_command
from mnist_lightning.terminal.streams import one_line

ROOT = Path(__file__).parents[2]
RUN = "import sys\nfrom mnist_lightning.terminal.parser import run_command\n"


def _run(code: str, shell_end: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    # The status is that of Python, not that of the other end of a pipe.
    command = f'"$PYTHON" -c "$CODE"{shell_end}; exit ${{PIPESTATUS[0]}}'
    return subprocess.run(
        ["bash", "-c", command],
        capture_output=True,
        text=True,
        check=False,
        env={
            **os.environ,
            "PYTHON": sys.executable,
            "CODE": RUN + code,
            "PYTHONPATH": str(ROOT),
            **environment,
        },
    )


@pytest.mark.parametrize("end", [" | head -1", " 2>&1 | head -1"])
def test_a_reader_that_leaves_is_not_an_error_and_the_work_goes_on(
    end: str, tmp_path: Path
) -> None:
    done = _run(
        "def run():\n"
        "    for number in range(100_000):\n"
        "        print('line', number)\n"
        "        print('line', number, file=sys.stderr, flush=True)\n"
        "    open(sys.argv[1] if sys.argv[1:] else 'done', 'w').close()\n"
        "    return 0\n"
        f"import os; os.chdir({str(tmp_path)!r})\n"
        "sys.exit(run_command(run))",
        end,
    )

    assert done.returncode == 0
    assert done.stdout == "line 0\n"
    assert (tmp_path / "done").is_file()
    if "2>&1" not in end:
        assert all(line.startswith("line ") for line in done.stderr.splitlines())


def test_help_can_be_cut() -> None:
    command = f"{sys.executable} {ROOT}/scripts/train.py --help | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: ")


@pytest.mark.parametrize("command", [path.stem for path in sorted(ROOT.glob("scripts/*.py"))])
def test_every_command_is_also_a_module_to_run(command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", f"mnist_lightning.commands.{command}", "--help"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert "usage: " in done.stdout


def test_what_the_encoding_lacks_is_escaped() -> None:
    code = "sys.exit(run_command(lambda: print('ü \\udcff 5') or 0))"
    done = _run(code, PYTHONIOENCODING="ascii", PYTHONUTF8="0")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "\\xfc \\udcff 5\n"


def test_an_escape_sequence_does_not_reach_the_terminal() -> None:
    done = _run("sys.exit(run_command(lambda: print('a\\x1b[31mb\\tc\\rd') or 0))")

    assert done.stdout == "a\\x1b[31mb\tc\nd\n"  # text mode reads a carriage return as a line break


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a\nb", "a\\nb"),
        ("a\rb", "a\\rb"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\x9b31m", "\\u009b31m"),
        ("evil\u202etxt.exe", "evil\\u202etxt.exe"),
        ("a\u2028b", "a\\u2028b"),
        ("\udcff", "\\udcff"),
        ("Größe 5 %.png", "Größe 5 %.png"),
    ],
)
def test_names_stay_on_one_line_in_errors_and_logs(
    name: str, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> int:
        raise UserError(f"there is no file {name}")

    assert one_line(name) == shown
    assert run_command(fail) == 2
    configure_logging()
    logging.getLogger("mnist_lightning.test").warning("skipping %s", name)
    assert capsys.readouterr().err == (
        f"error: there is no file {shown}\nWARNING: skipping {shown}\n"
    )


def test_the_name_of_a_file_that_cannot_be_opened_stays_on_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(lambda: len((tmp_path / "a\nb").read_bytes())) == 2
    assert capsys.readouterr().err.endswith("a\\nb: No such file or directory\n")


@pytest.mark.parametrize(
    "error",
    [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: tried 9 bytes")],
)
def test_a_lack_of_memory_is_one_line(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> int:
        raise error

    assert run_command(fail) == 2
    assert capsys.readouterr().err.startswith("error: there is not enough memory; ")


def test_a_bug_keeps_its_traceback() -> None:
    def fail() -> int:
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        run_command(fail)


def test_settings_that_libraries_cannot_bear_are_no_traceback(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, str(ROOT / "scripts/train.py"), "--model", "cnn"),
            *("--data.source", "mnist5k", "--model.widths", "[4]", "--export_formats", "[]"),
            *("--trainer.max_epochs", "1", "--trainer.limit_train_batches", "1"),
            *("--trainer.accelerator", "cpu"),
            *("--trainer.callbacks+", "short_timings.ShortTimings"),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")]),
            "MPLBACKEND": "nonsense",
            "PYTHONWARNINGS": "error",
        },
    )

    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    assert "Test accuracy" in done.stdout
