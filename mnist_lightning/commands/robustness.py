"""``python scripts/robustness.py``: measure the exported models on corrupted digits."""

from __future__ import annotations

import logging
import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_lightning.errors import OutputError
from mnist_lightning.records.artefacts import (
    MODEL_SUFFIX,
    PUBLISHED,
    RECORD,
    WEIGHTS,
    find_models,
    folder_of,
)
from mnist_lightning.records.model_names import models_of
from mnist_lightning.terminal.logs import configure_logging
from mnist_lightning.terminal.parser import CommandParser, choose, run_command, whole_number
from mnist_lightning.terminal.presets import presets_by_model_name

if TYPE_CHECKING:
    import torch
    from matplotlib.figure import Figure
    from torch import nn

    from mnist_lightning.data.digits import Pixels
    from mnist_lightning.export.trained_model import TrainedModel
    from mnist_lightning.records.record import Record
    from mnist_lightning.robustness.catalogue import Corruption
    from mnist_lightning.robustness.draws import Integers
    from mnist_lightning.robustness.error_rates import Robustness

log = logging.getLogger(__name__)

#: Lower than for the other figures, at whose DPI these files would be large.
DPI = 120

EXAMPLES = """\
  python scripts/robustness.py
  python scripts/robustness.py --models cnn resnet50 --limit 1000
  python scripts/robustness.py --corruptions fog zigzag
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: The command line without the program's name; None takes that of the process.

    Returns:
        The exit status: 0, 2 after an error that the user can fix, 130 after Ctrl-C.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    return run_command(lambda: _run(_parser().parse_args(argv), argv))


def _run(arguments: Namespace, argv: Sequence[str]) -> int:
    configure_logging(arguments.log_level)
    output_dir = arguments.output_dir
    names = _choose_models(output_dir, arguments.models)

    from mnist_lightning.comparison.loaded_models import load_dataset_of, read_records
    from mnist_lightning.data.stratification import stratified_subset
    from mnist_lightning.files.storage import check_writable
    from mnist_lightning.reporting.robustness_text import robustness_summary
    from mnist_lightning.robustness.catalogue import BY_NAME
    from mnist_lightning.robustness.measure import measure_robustness

    corruptions = choose("--corruptions", arguments.corruptions, BY_NAME)
    presets = presets_by_model_name()
    records = read_records(output_dir, {name: presets.get(name, "NAME") for name in names})
    check_writable(output_dir, bytes_needed=5_000_000)
    trained = {record.model.name: _load(output_dir, record) for record in records}
    eager = _eager_networks(output_dir, records)
    dataset = load_dataset_of(records[0], arguments.data_dir or records[0].data_dir)
    labels = dataset.test.labels
    limit = len(labels) if arguments.limit is None else arguments.limit
    indices = stratified_subset(labels.numpy(), limit, arguments.seed)
    record = measure_robustness(
        records, trained, dataset, indices, corruptions, seed=arguments.seed, command=argv
    )
    shown = indices[one_of_each(labels, indices)]
    digits = dataset.test.images[shown, 0].numpy(), shown
    log.info("Drawing the figures ...")
    written = write_robustness(record, eager, digits, corruptions, output_dir)
    print(robustness_summary(record, written))
    return 0


def _choose_models(output_dir: Path, names: Sequence[str] | None) -> list[str]:
    """Return the names of the models to measure, the baseline first."""
    if names is not None:
        return models_of(names, output_dir)

    found = []
    for path in find_models(output_dir) or find_models(output_dir / PUBLISHED):
        name = path.stem.removesuffix(MODEL_SUFFIX)
        if path.with_name(f"{name}{RECORD}").is_file():
            found.append(name)
        else:
            log.info("leaving out %s: %s has no %s%s", name, path.parent, name, RECORD)
    if not found:
        raise OutputError(
            f"There is no trained model in {output_dir}: make one with "
            "`python scripts/train.py --model cnn`."
        )
    return found


def _load(output_dir: Path, record: Record) -> TrainedModel:
    """Load the exported file that a record names, with its rejection rule."""
    from mnist_lightning.export.trained_model import load_trained
    from mnist_lightning.files.identity import check_file

    remedy = f"make it again with `{record.making_command}`"
    folder = folder_of(output_dir, record.model.name)
    model = load_trained(check_file(folder, record.model.file, remedy))
    if model.rejection is None:
        log.info(
            "no rejection rule of %s: there is no %s",
            record.model.name,
            folder / record.predictions.name,
        )
    return model


def _eager_networks(output_dir: Path, records: Sequence[Record]) -> dict[str, nn.Module]:
    """Build the networks whose weights were kept, since exported files take no float pixels."""
    from mnist_lightning.export.weights import network_from_weights

    networks = {}
    for record in records:
        path = output_dir / f"{record.model.name}{WEIGHTS}"
        remedy = f"train it again with `{record.making_command}`"
        try:
            networks[record.model.name] = network_from_weights(record, path, remedy)
        except OutputError as error:
            log.info("no saliency of %s: %s", record.model.name, error)
    return networks


def write_robustness(
    record: Robustness,
    networks: Mapping[str, nn.Module],
    digits: tuple[Pixels, Integers],
    corruptions: Sequence[Corruption],
    output_dir: Path,
) -> list[Path]:
    """Write the figures and the record.

    Args:
        record: The measured error rates.
        networks: The eager networks by name, for saliency; those whose weights were not kept may
            be missing.
        digits: The images to show, uint8 ``(N, 28, 28)``, and their indices in the test set.
        corruptions: The corruptions to show.
        output_dir: The output folder.

    Returns:
        The files, each written atomically; the record is the last.
    """
    from mnist_lightning.files.storage import atomic_path
    from mnist_lightning.reporting.robustness_figure import plot_corruptions, plot_robustness
    from mnist_lightning.reporting.robustness_text import title
    from mnist_lightning.robustness.error_rates import FILE_NAME
    from mnist_lightning.robustness.sweeps import SWEEPS

    images, indices = digits
    rows = {title(one.name): one(images, indices, record.seed) for one in corruptions}
    figures = {
        "robustness.png": plot_robustness(record, {sweep.name: sweep.unit for sweep in SWEEPS}),
        "robustness_corruptions.png": plot_corruptions(
            {"Clean": images, **rows}, f"Test digits under each corruption, seed {record.seed}"
        ),
    }
    shown = _saliency_figure(record, networks, images)
    if shown:
        figures["saliency.png"] = shown
    else:
        # A figure of earlier models would look as if it showed these.
        (output_dir / "saliency.png").unlink(missing_ok=True)
    for name, figure in figures.items():
        with atomic_path(output_dir / name) as path:
            figure.savefig(path, dpi=DPI)
    record.write(output_dir / FILE_NAME)
    return [output_dir / name for name in (*figures, FILE_NAME)]


def one_of_each(labels: torch.Tensor, indices: Integers) -> Integers:
    """Return the position in ``indices`` of the first image of each digit that occurs."""
    import numpy as np

    return np.unique(labels.numpy()[indices], return_index=True)[1].astype(np.int64)


def _saliency_figure(
    record: Robustness, networks: Mapping[str, nn.Module], images: Pixels
) -> Figure | None:
    import torch

    from mnist_lightning.reporting.robustness_figure import plot_saliency
    from mnist_lightning.robustness.saliency import saliency

    pixels = torch.from_numpy(images).unsqueeze(1)
    models = [
        (model.title, *saliency(networks[model.name], pixels))
        for model in record.models
        if model.name in networks
    ]
    heading = "Integrated gradients: red pixels support the prediction, blue ones oppose it"
    return plot_saliency(images, models, heading) if models else None


def _parser() -> CommandParser:
    parser = CommandParser(
        "robustness.py",
        "Measure trained models on the fifteen corruptions of MNIST-C and on rotated, shifted and "
        "noisy digits. Nothing is trained.",
        EXAMPLES,
    )
    add = parser.add_argument
    models = "the models, e.g. cnn or custom_cnn, the baseline first (default: every trained model)"
    add("--models", nargs="+", metavar="NAME", help=models)
    limit = "use a random subset of N test images, stratified by digit (default: all)"
    add("--limit", type=whole_number(1), metavar="N", help=limit)
    corruptions = "measure only these (default: all fifteen)"
    add("--corruptions", nargs="+", metavar="NAME", help=corruptions)
    parser.add_output_dir()
    parser.add_data_dir()
    seed = "seed of the corruptions and of the subset (default: 0)"
    add("--seed", type=whole_number(), default=0, metavar="N", help=seed)
    parser.add_quiet()
    return parser


if __name__ == "__main__":
    sys.exit(main())
