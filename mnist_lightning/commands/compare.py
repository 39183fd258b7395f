"""``python scripts/compare.py``: measure the exported models side by side.

Heavy imports follow after the command line and the folder have been checked.
"""

from __future__ import annotations

import logging
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_lightning.records.artefacts import BASELINE, folder_of
from mnist_lightning.records.model_choice import choose_models
from mnist_lightning.terminal.logs import configure_logging
from mnist_lightning.terminal.parser import CommandParser, number_up_to, run_command
from mnist_lightning.terminal.wording import count

if TYPE_CHECKING:
    from mnist_lightning.comparison.schema import Comparison
    from mnist_lightning.data.digits import DigitDataset, Pixels
    from mnist_lightning.records.record import Record
    from mnist_lightning.robustness.error_rates import Robustness

log = logging.getLogger(__name__)

HOW_ROBUST = "To measure the models on corrupted digits: python scripts/robustness.py"
EXAMPLES = """\
  python scripts/compare.py
  python scripts/compare.py --models cnn resnet50 resnet50_finetune
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
    output_dir = arguments.output_dir
    presets = choose_models(output_dir, arguments.models)

    from mnist_lightning.comparison.loaded_models import load_dataset_of, read_records
    from mnist_lightning.files.storage import check_writable
    from mnist_lightning.reporting.comparison_text import terminal_summary
    from mnist_lightning.reporting.robustness_text import beside_clean_error
    from mnist_lightning.robustness.error_rates import FILE_NAME as ROBUSTNESS_FILE
    from mnist_lightning.robustness.error_rates import read_robustness_of

    records = read_records(output_dir, presets)
    check_writable(output_dir, bytes_needed=20_000_000)
    dataset = load_dataset_of(records[0], arguments.data_dir or records[0].data_dir)
    # A damaged file must end the command before anything is measured.
    robustness = read_robustness_of(
        output_dir / ROBUSTNESS_FILE,
        dataset.fingerprint,
        {record.model.name: record.model.file.sha256 for record in records},
    )
    comparison = _measure(output_dir, records, dataset, arguments.seconds)
    log.info("Writing the figure, the tables and the page ...")
    images = dataset.test.images[:, 0].numpy()
    files = write_comparison(comparison, images, output_dir, robustness)
    print(terminal_summary(comparison, files, robustness))
    print(f"\n{beside_clean_error(robustness) if robustness else HOW_ROBUST}")
    return 0


def _measure(
    output_dir: Path, records: Sequence[Record], dataset: DigitDataset, seconds: float
) -> Comparison:
    """Load the models, and compare them in accuracy, cost and time."""
    from mnist_lightning.comparison.build import compare
    from mnist_lightning.comparison.loaded_models import load_model
    from mnist_lightning.comparison.seed_study import read_seeds, study_seeds
    from mnist_lightning.evaluation.latency import default_settings

    log.info("Loading %s and checking the files ...", count(len(records), "model"))
    models = [load_model(output_dir, record, dataset) for record in records]
    by_name = {record.model.name: record for record in records}
    seeds = study_seeds(
        {name: read_seeds(folder_of(output_dir, name), one) for name, one in by_name.items()}
    )
    settings = default_settings(seconds)
    points = len(settings.threads) * len(settings.batch_sizes)
    log.info(
        "Timing %s in turn at %d points, about %.0f s or more ...",
        count(len(records), "model"),
        points,
        points * len(records) * max(seconds, 0.1),
    )
    return compare(models, dataset.test.images, settings, seeds)


def write_comparison(
    comparison: Comparison, images: Pixels, output_dir: Path, robustness: Robustness | None = None
) -> list[Path]:
    """Write a comparison as figure, tables, HTML page and record, and log it to TensorBoard.

    The page has learning curves of the models whose runs are in ``<output_dir>/runs``.

    Args:
        comparison: The comparison.
        images: uint8, ``(N, 28, 28)``, the test images in their order.
        output_dir: The output folder.
        robustness: How these models perform on corrupted digits, if that is known.

    Returns:
        The files, each written atomically; the record is the last.

    Raises:
        OSError: A file cannot be written.
    """
    from mnist_lightning.comparison.histories import read_histories
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
    histories = read_histories(output_dir, comparison.models)
    # The layout is final: to repeat it for TensorBoard would take a second.
    figure.set_layout_engine("none")
    texts = {
        ".csv": csv_text(comparison),
        ".md": markdown(comparison, robustness),
        ".html": comparison_html(comparison, images, robustness, histories),
    }
    for suffix, text in texts.items():
        with atomic_path(stem.with_suffix(suffix)) as path:
            path.write_text(text, encoding="utf-8")
    log_to_tensorboard(comparison, output_dir / "runs" / "comparison")
    comparison.write(stem.with_suffix(".json"))
    return [stem.with_suffix(suffix) for suffix in (".png", *texts, ".json")]


def log_to_tensorboard(comparison: Comparison, folder: Path) -> None:
    """Log the quantities that are compared, and two panels of the figure, as one run.

    Their names follow those of the curves of the trainings in alphabetical order, and a whole
    figure could not be read in a card of TensorBoard.

    Args:
        comparison: The comparison.
        folder: Of the run. Events of earlier comparisons in it are removed, because TensorBoard
            would show old and new ones as one run.
    """
    from torch.utils.tensorboard import SummaryWriter

    from mnist_lightning.reporting.comparison_figure import plot_panel
    from mnist_lightning.reporting.comparison_tables import values_by_key

    for old in folder.glob("events.out.tfevents.*"):
        old.unlink()
    with SummaryWriter(str(folder)) as writer:
        for key, column in values_by_key(comparison).to_dict().items():
            for name, value in column.items():
                if isinstance(value, (int, float)):
                    writer.add_scalar(f"verdict_{key}/{name}", value)
        for key in ("accuracy", "tradeoff"):
            # Only a figure of pyplot has to be closed.
            writer.add_figure(f"verdict/{key}", plot_panel(comparison, key), close=False)


def _parser() -> CommandParser:
    parser = CommandParser(
        "compare.py",
        "Compare trained models on the same test images. Nothing is trained.",
        EXAMPLES,
    )
    add = parser.add_argument
    models = "the models, e.g. cnn or custom_cnn, the baseline first (default: every complete "
    add("--models", nargs="+", metavar="NAME", help=f"{models}record, {BASELINE} first)")
    parser.add_output_dir()
    parser.add_data_dir()
    seconds = "time for each model at each thread count and batch size (default: 0.8)"
    add("--seconds", type=number_up_to(3600), default=0.8, metavar="S", help=seconds)
    parser.add_quiet()
    return parser


if __name__ == "__main__":
    sys.exit(main())
