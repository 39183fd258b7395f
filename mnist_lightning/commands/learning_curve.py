"""``python scripts/learning_curve.py``: errors against the number of labelled digits."""

from __future__ import annotations

import logging
import sys
import time
from argparse import Namespace
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_lightning.errors import OutputError, check_range
from mnist_lightning.terminal.logs import configure_logging
from mnist_lightning.terminal.parser import CommandParser, choose, run_command, whole_number
from mnist_lightning.terminal.wording import count

if TYPE_CHECKING:
    from mnist_lightning.learning_curve.arms import Arm
    from mnist_lightning.learning_curve.cell_training import CellTrainer
    from mnist_lightning.learning_curve.cells import Cell
    from mnist_lightning.learning_curve.curve_schema import LearningCurve

log = logging.getLogger(__name__)

EXAMPLES = """\
  python scripts/learning_curve.py --weights resnet50.safetensors
  python scripts/learning_curve.py --models cnn resnet50 --sizes 100 300 --seeds 0 1
  python scripts/learning_curve.py --max_minutes 0   # only summarise what is trained

Each training writes one file when it is done; start the command again to go on. Several processes
may work on the same output folder at once.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: The command line without the program's name; None takes that of the process.

    Returns:
        The exit status: 0, 2 after an error that the user can fix, 130 after Ctrl-C.
    """
    return run_command(lambda: _run(_parser().parse_args(argv)))


def _run(arguments: Namespace) -> int:
    configure_logging(arguments.log_level)
    from mnist_lightning.learning_curve.arms import ARMS
    from mnist_lightning.learning_curve.cells import read_cells
    from mnist_lightning.reporting.learning_curve_text import curve_summary

    arms = choose("--models", arguments.models, {arm.name: arm for arm in ARMS})
    if arguments.max_minutes != 0:
        _train(arms, arguments)
    cells = read_cells(arguments.output_dir)
    if not cells:
        raise OutputError(
            f"--output_dir: there is no finished training in '{arguments.output_dir}': leave out "
            "--max_minutes to train"
        )
    curve, files = write_curve(cells, arguments.output_dir)
    print(curve_summary(curve, files))
    return 0


def _train(arms: Sequence[Arm], arguments: Namespace) -> None:
    """Train the cells that are missing and that no other process is training."""
    from mnist_lightning.data.digits import CLASSES
    from mnist_lightning.data.sources import load_dataset
    from mnist_lightning.files.storage import check_writable
    from mnist_lightning.learning_curve.arms import SIZES
    from mnist_lightning.learning_curve.cell_training import CellTrainer

    # Again, because Lightning sets the level of its messages when it is imported.
    configure_logging(arguments.log_level)
    dataset = load_dataset(arguments.data_dir, arguments.source)
    check_writable(arguments.output_dir, bytes_needed=500_000_000)
    trainer = CellTrainer(dataset, arguments.weights, arguments.output_dir, arguments.accelerator)
    sizes = arguments.sizes or [size for size in SIZES if size <= trainer.whole]
    for size in sizes:
        check_range("--sizes", size, CLASSES, trainer.whole)
    # One seed of all arms and sizes first, so that what is finished can be compared.
    wanted = [(arm, n, seed) for seed in arguments.seeds for n in sorted(sizes) for arm in arms]
    minutes = arguments.max_minutes
    stop = None if minutes is None else time.monotonic() + 60 * minutes
    train_cells(trainer, wanted, arguments.output_dir, force=arguments.force, stop=stop)


def train_cells(
    trainer: CellTrainer,
    wanted: Sequence[tuple[Arm, int, int]],
    output_dir: Path,
    *,
    force: bool = False,
    stop: float | None = None,
) -> None:
    """Train cells, each of which is written when it is done.

    Args:
        trainer: Trains one cell.
        wanted: Arm, number of labelled images and seed of each; those that are done are skipped.
        output_dir: The output folder.
        force: Whether to train cells again that are of other settings.
        stop: The value of ``time.monotonic()`` after which no other cell is started; None for no
            limit.

    Raises:
        UserError: A cell is of other settings, or a training fails.
    """
    from mnist_lightning.learning_curve.cells import CellKey, claimed

    left = deque(one for one in wanted if not _is_done(trainer, one, output_dir, force))
    log.info("%d of %s done", len(wanted) - len(left), count(len(wanted), "training"))
    busy: set[CellKey] = set()
    spent: dict[tuple[str, int], list[float]] = {}
    while left:
        if stop is not None and time.monotonic() >= stop:
            log.info("--max_minutes is over: %s left", count(len(left), "training"))
            return
        arm, size, seed = one = left.popleft()
        key = CellKey(arm.name, size, seed)
        with claimed(key.path(output_dir)) as mine:
            if not mine and key not in busy:
                # Another process is training it. It may die: look again at the end.
                busy.add(key)
                left.append(one)
            if not mine or _is_done(trainer, one, output_dir, force):
                continue
            before = time.monotonic()
            cell = trainer.train(arm, size, seed)
            cell.write(output_dir)
        spent.setdefault((arm.name, size), []).append(time.monotonic() - before)
        # Other processes may have finished some in the meantime.
        left = deque(one for one in left if not _is_done(trainer, one, output_dir, force))
        _report(cell, arm.title, [(arm.name, size) for arm, size, _ in left], spent)


def _is_done(
    trainer: CellTrainer, wanted: tuple[Arm, int, int], output_dir: Path, force: bool
) -> bool:
    """Return whether a cell is finished; one of other settings counts if it may not be replaced."""
    from mnist_lightning.learning_curve.cells import CellKey, configuration_hash, read_cell

    arm, size, seed = wanted
    path = CellKey(arm.name, size, seed).path(output_dir)
    if not path.exists():
        return False
    settings = trainer.settings(arm, size, seed)
    if read_cell(path).configuration == configuration_hash(settings):
        return True
    if not force:
        raise OutputError(
            f"{path} was trained with other settings or weights: train it again with --force, or "
            "choose another --output_dir"
        )
    return False


def _report(
    cell: Cell,
    title: str,
    left: Sequence[tuple[str, int]],
    spent: Mapping[tuple[str, int], Sequence[float]],
) -> None:
    from mnist_lightning.reporting.tables import duration, percent

    def expected(arm: str, size: int) -> float:
        alike = spent.get((arm, size)) or [s for key in spent if key[0] == arm for s in spent[key]]
        alike = alike or [s for found in spent.values() for s in found]
        return sum(alike) / len(alike)

    seconds = duration(sum(expected(*one) for one in left))
    rest = f"; {len(left)} left, about {seconds} for one process"
    log.info(
        "%s, %s labelled digits, seed %d: %s %% errors after %s of training%s",
        title,
        f"{cell.size:,}",
        cell.seed,
        percent(cell.error_rate),
        duration(cell.seconds),
        rest if left else "",
    )


def write_curve(cells: Sequence[Cell], output_dir: Path) -> tuple[LearningCurve, list[Path]]:
    """Compute the statistics of the cells and write them as JSON, CSV, Markdown and a figure.

    Returns:
        The statistics, and the files, each written atomically.
    """
    from mnist_lightning.files.json_document import write_document
    from mnist_lightning.files.storage import atomic_path
    from mnist_lightning.learning_curve.curve_schema import CURVE_FILE
    from mnist_lightning.learning_curve.curve_statistics import analyse
    from mnist_lightning.reporting.learning_curve_figure import plot_learning_curve
    from mnist_lightning.reporting.learning_curve_text import cells_csv, curve_markdown
    from mnist_lightning.reporting.style import DPI

    curve = analyse(cells)
    stem = output_dir / CURVE_FILE
    write_document(curve, stem)
    texts = {".csv": cells_csv(cells), ".md": curve_markdown(curve)}
    for suffix, text in texts.items():
        with atomic_path(stem.with_suffix(suffix)) as path:
            path.write_text(text, encoding="utf-8")
    with atomic_path(stem.with_suffix(".png")) as path:
        plot_learning_curve(curve).savefig(path, dpi=DPI)
    return curve, [stem.with_suffix(suffix) for suffix in (".json", *texts, ".png")]


def _parser() -> CommandParser:
    parser = CommandParser(
        "learning_curve.py",
        "Train every arm of the study on more and more labelled digits, test each on all test "
        "images, and find up to how many digits a pretrained network has fewer errors.",
        EXAMPLES,
    )
    add = parser.add_argument
    add("--models", nargs="+", metavar="NAME", help="the arms, e.g. cnn resnet50 (default: all)")
    sizes = "numbers of labelled digits (default: 100 300 1000 3000 10000 55000)"
    add("--sizes", nargs="+", type=whole_number(), metavar="N", help=sizes)
    seeds = "seeds of the labelled digits, the weights and the order (default: 0 1 2)"
    add("--seeds", nargs="+", type=whole_number(), default=[0, 1, 2], metavar="N", help=seeds)
    weights = "what pretrained arms start from: imagenet, imagenet_v1 or a file (default: imagenet)"
    add("--weights", default="imagenet", metavar="PATH", help=weights)
    accelerator = "auto takes a GPU if there is one (default: auto)"
    add("--accelerator", choices=("auto", "cpu", "gpu"), default="auto", help=accelerator)
    minutes = "start no training after N minutes; 0 only summarises what is there"
    add("--max_minutes", type=whole_number(), metavar="N", help=minutes)
    add("--force", action="store_true", help="train again what was trained with other settings")
    parser.add_output_dir("folder of the results (default: output)")
    parser.add_data_dir("folder with MNIST (default: data)", Path("data"))
    source = "as --data.source of train.py (default: auto)"
    add("--source", choices=("auto", "mnist", "mnist5k"), default="auto", help=source)
    parser.add_quiet()
    return parser


if __name__ == "__main__":
    sys.exit(main())
