"""CPU seconds of commands that do little, which is mostly what importing their libraries takes.

    python -m benchmarks.start_up [--rounds 5]

Each command runs in a new process; ``import torch`` is there for comparison. CPU seconds and not
those on the clock, since they depend less on what else the machine is doing. Unix only.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from benchmarks.harness import print_machine, print_table, write_result

ROOT = Path(__file__).parents[1]
IMPORT_TORCH = "python -c 'import torch'"


def commands(folder: Path) -> dict[str, list[str]]:
    """Return the arguments of Python by the command that the table shows.

    Args:
        folder: Where training would write; with ``fast_dev_run`` it writes nothing.
    """
    train = [str(ROOT / "scripts" / "train.py")]
    predict = [str(ROOT / "scripts" / "predict.py")]
    step = ["--model", "cnn", "--trainer.fast_dev_run", "true", "--data.source", "mnist5k"]
    return {
        "train.py --help": [*train, "--help"],
        "train.py, one step": [*train, *step, "--output_dir", str(folder)],
        "predict.py --help": [*predict, "--help"],
        "predict.py, a page of digits": [*predict, str(ROOT / "docs" / "images" / "page.jpg")],
        IMPORT_TORCH: ["-c", "import torch"],
    }


def cpu_seconds(arguments: list[str]) -> float:
    """Return the CPU seconds, of user and system, of one new Python process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)


def main(argv: list[str] | None = None) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds (default: 5)")
    rounds = parser.parse_args(argv).rounds
    print_machine()
    with tempfile.TemporaryDirectory() as folder:
        timed = commands(Path(folder))
        every = [[cpu_seconds(one) for one in timed.values()] for _ in range(rounds)]
    seconds = dict(zip(timed, map(list, zip(*every, strict=True)), strict=True))
    torch = median(seconds[IMPORT_TORCH])
    print_table(
        ["command", "CPU s, median", "times `import torch`"],
        [
            [f"`{name}`", f"{median(values):.2f}", f"{median(values) / torch:.1f}"]
            for name, values in seconds.items()
        ],
    )
    write_result("start_up", {"rounds": rounds, "cpu_seconds": seconds})


if __name__ == "__main__":
    main()
