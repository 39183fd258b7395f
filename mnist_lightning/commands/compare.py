"""``python scripts/compare.py``: measure the exported models side by side and say what follows.

Nothing heavy is imported before the command line and the folder have been looked at.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_lightning.errors import OutputError, UserError
from mnist_lightning.records.artefacts import BASELINE, COMPLETE, SECOND, table_order
from mnist_lightning.terminal.parser import CommandParser, require_name, run_command
from mnist_lightning.terminal.presets import presets_by_model_name

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from matplotlib.figure import Figure

    from mnist_lightning.comparison.schema import Comparison
    from mnist_lightning.robustness.error_rates import Robustness

HOW_ROBUST = "How they take corrupted digits: python scripts/robustness.py"
EXAMPLES = """\
  python scripts/compare.py
  python scripts/compare.py --models custom_cnn resnet50 resnet50_finetune
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: The command line without the program's name; None takes that of the process.

    Returns:
        The exit status: 0, 2 when the user has something to mend, 130 after Ctrl-C.
    """
    return run_command(lambda: _run(_parser().parse_args(argv)))


def _run(arguments: Namespace) -> int:
    output_dir = arguments.output_dir
    presets = choose_models(output_dir, arguments.models)

    from mnist_lightning.comparison.build import compare
    from mnist_lightning.comparison.loaded_models import load_model, load_test_images, read_records
    from mnist_lightning.comparison.seed_study import read_seeds, study_seeds
    from mnist_lightning.evaluation.latency import default_settings
    from mnist_lightning.files.storage import check_writable
    from mnist_lightning.reporting.comparison_text import terminal_summary
    from mnist_lightning.reporting.robustness_text import beside_clean_accuracy
    from mnist_lightning.robustness.error_rates import FILE_NAME as ROBUSTNESS_FILE
    from mnist_lightning.robustness.error_rates import read_robustness_of
    from mnist_lightning.terminal.logs import configure_logging

    configure_logging()
    records = read_records(output_dir, presets)
    check_writable(output_dir, bytes_needed=20_000_000)
    dataset = load_test_images(records[0], arguments.data_dir or records[0].data_dir)
    models = [load_model(output_dir, record, dataset) for record in records]
    seeds = study_seeds({entry.model.name: read_seeds(output_dir, entry) for entry in records})
    # Before anything is measured, because a damaged file ends the command.
    robustness = read_robustness_of(
        output_dir / ROBUSTNESS_FILE,
        dataset.fingerprint,
        {record.model.name: record.model.file.sha256 for record in records},
    )
    images = dataset.test.images
    settings = default_settings(arguments.seconds)
    points = len(settings.threads) * len(settings.batch_sizes)
    print(
        f"Timing {len(records)} models in turn at {points} points, "
        f"about {points * len(records) * max(arguments.seconds, 0.1):.0f} s or more ...",
        file=sys.stderr,
        flush=True,
    )
    comparison = compare(models, images, settings, seeds)
    files = write_comparison(comparison, images[:, 0].numpy(), output_dir, robustness)
    print(terminal_summary(comparison, files))
    print(f"\n{beside_clean_accuracy(robustness) if robustness else HOW_ROBUST}")
    return 0


def write_comparison(
    comparison: Comparison,
    images: npt.NDArray[np.uint8],
    output_dir: Path,
    robustness: Robustness | None = None,
) -> list[Path]:
    """Write a comparison as figure, tables, page and record, and log it to TensorBoard.

    Args:
        comparison: The comparison.
        images: uint8, ``(N, 28, 28)``, the test images in their order.
        output_dir: Where to.
        robustness: What these models make of corrupted digits, if that is known.

    Returns:
        The files, each replaced in one step; the record comes last.

    Raises:
        OSError: A file cannot be written.
    """
    from mnist_lightning.comparison.schema import FILE_NAME
    from mnist_lightning.files.storage import atomic_path
    from mnist_lightning.reporting.comparison_figure import plot_comparison
    from mnist_lightning.reporting.comparison_html import comparison_html
    from mnist_lightning.reporting.comparison_text import csv_text, markdown
    from mnist_lightning.reporting.style import DPI

    figure = plot_comparison(comparison, images)
    stem = output_dir / FILE_NAME.removesuffix(".json")
    with atomic_path(stem.with_suffix(".png")) as path:
        figure.savefig(path, dpi=DPI)
    # Everything has found its place; to lay it out again for the page and for TensorBoard would
    # take a second each.
    figure.set_layout_engine("none")
    texts = {
        ".csv": csv_text(comparison),
        ".md": markdown(comparison, robustness),
        ".html": comparison_html(comparison, images, figure, robustness),
    }
    for suffix, text in texts.items():
        with atomic_path(stem.with_suffix(suffix)) as path:
            path.write_text(text, encoding="utf-8")
    log_to_tensorboard(comparison, figure, output_dir / "runs" / "comparison")
    comparison.write(stem.with_suffix(".json"))
    return [stem.with_suffix(suffix) for suffix in (".png", *texts, ".json")]


def log_to_tensorboard(comparison: Comparison, figure: Figure, folder: Path) -> None:
    """Log the quantities that are compared, and the figure, as one run.

    Args:
        comparison: The comparison.
        figure: As from ``plot_comparison``.
        folder: Of the run. Events of earlier comparisons in it are removed: TensorBoard would
            show old and new ones as one.
    """
    from torch.utils.tensorboard import SummaryWriter

    from mnist_lightning.reporting.comparison_rows import comparison_rows

    for old in folder.glob("events.out.tfevents.*"):
        old.unlink()
    with SummaryWriter(str(folder)) as writer:
        for row in comparison_rows(comparison):
            for model, value in zip(comparison.models, row.values, strict=True):
                if value is not None:
                    writer.add_scalar(f"{row.key}/{model.name}", value)
        # add_figure would close a figure of pyplot; this one is drawn into its own canvas.
        writer.add_figure("comparison", figure, close=False)


def _parser() -> CommandParser:
    parser = CommandParser(
        "compare.py",
        "Compare trained models on the same test images. Nothing is trained.",
        EXAMPLES,
    )
    parser.add_argument(
        "--models",
        nargs="+",
        metavar="NAME",
        help="prefixes of the files, the baseline first (default: every complete record, "
        f"{BASELINE} first)",
    )
    parser.add_output_dir()
    parser.add_data_dir()
    parser.add_argument(
        "--seconds",
        type=_seconds,
        default=0.8,
        metavar="S",
        help="time for each model at each thread count and batch size (default: 0.8)",
    )
    return parser


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 3600:
        raise ValueError
    return value


def choose_models(output_dir: Path, names: Sequence[str] | None) -> dict[str, str]:
    """Decide which models to compare.

    Args:
        output_dir: Folder of the artefacts.
        names: The models' names, the baseline first; None takes every complete record.

    Returns:
        What ``--model`` takes to train each model, by the model's name, the baseline first.

    Raises:
        UserError: A name is given twice or contains a path.
        OutputError: There are fewer than two models.
    """
    presets = presets_by_model_name()
    if names is None:
        names = _complete(output_dir)
    elif len(set(names)) < len(names):
        raise UserError(f"--models names a model twice: {' '.join(names)}")
    for name in names:
        require_name("--models", name)
    if len(names) < 2:
        raise OutputError(_too_few(output_dir, names, presets))
    return {name: presets.get(name, "NAME") for name in names}


def _complete(output_dir: Path) -> list[str]:
    suffix = COMPLETE[-1]
    names = [path.name.removesuffix(suffix) for path in output_dir.glob(f"*{suffix}")]
    complete = []
    for name in names:
        missing = [end for end in COMPLETE if not (output_dir / f"{name}{end}").is_file()]
        if missing:
            lost = ", ".join(f"{name}{end}" for end in missing)
            print(f"leaving out {name}: {output_dir} has no {lost}", file=sys.stderr)
        else:
            complete.append(name)
    return sorted(complete, key=table_order)


def _too_few(output_dir: Path, names: Sequence[str], presets: dict[str, str]) -> str:
    wanted = [name for name in (BASELINE, SECOND) if name not in names][: 2 - len(names)]
    commands = " and ".join(
        f"`python scripts/train.py --model {presets.get(name, name)}`" for name in wanted
    )
    if not names:
        return f"There is no complete record in {output_dir}: make two with {commands}."
    return (
        f"There is only '{names[0]}' to compare in {output_dir}: make the second with {commands}."
    )
