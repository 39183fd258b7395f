"""``python scripts/robustness.py``: try the exported models on corrupted digits."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_lightning.errors import OutputError, UserError
from mnist_lightning.records.artefacts import MODEL_SUFFIX, find_models
from mnist_lightning.terminal.parser import CommandParser, require_name, run_command
from mnist_lightning.terminal.presets import presets_by_model_name

if TYPE_CHECKING:
    import torch
    from matplotlib.figure import Figure
    from torch import nn

    from mnist_lightning.records.record import Record
    from mnist_lightning.robustness.catalogue import Corruption
    from mnist_lightning.robustness.draws import Integers, Pixels
    from mnist_lightning.robustness.error_rates import Robustness

#: Screens show no more; at the DPI of the other figures these would take over 300 kB.
DPI = 90

EXAMPLES = """\
  python scripts/robustness.py
  python scripts/robustness.py --models custom_cnn resnet50 --limit 1000
  python scripts/robustness.py --corruptions fog zigzag
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: The command line without the program's name; None takes that of the process.

    Returns:
        The exit status: 0, 2 when the user has something to mend, 130 after Ctrl-C.
    """
    words = sys.argv[1:] if argv is None else list(argv)
    return run_command(lambda: _run(_parser().parse_args(words), words))


def _run(arguments: Namespace, words: Sequence[str]) -> int:
    output_dir = arguments.output_dir
    names = _choose_models(output_dir, arguments.models)

    from mnist_lightning.comparison.loaded_models import load_test_images, read_records
    from mnist_lightning.files.storage import check_writable
    from mnist_lightning.reporting.robustness_text import robustness_summary
    from mnist_lightning.robustness.trials import stratified_subset, try_models
    from mnist_lightning.terminal.logs import configure_logging

    configure_logging()
    corruptions = _choose_corruptions(arguments.corruptions)
    presets = presets_by_model_name()
    records = read_records(output_dir, {name: presets.get(name, "NAME") for name in names})
    check_writable(output_dir, bytes_needed=5_000_000)
    networks = {record.model.name: _load(output_dir, record) for record in records}
    dataset = load_test_images(records[0], arguments.data_dir or records[0].data_dir)
    labels = dataset.test.labels
    limit = len(labels) if arguments.limit is None else arguments.limit
    indices = stratified_subset(labels.numpy(), limit, arguments.seed)
    record = try_models(
        records, networks, dataset, indices, corruptions, seed=arguments.seed, command=words
    )
    shown = indices[one_of_each(labels, indices)]
    digits = dataset.test.images[shown, 0].numpy(), shown
    files = write_robustness(record, networks, digits, corruptions, output_dir)
    print(robustness_summary(record, files))
    return 0


def _choose_models(output_dir: Path, names: Sequence[str] | None) -> list[str]:
    """Decide which models to try, the baseline first."""
    if names is not None:
        if len(set(names)) < len(names):
            raise UserError(f"--models names a model twice: {' '.join(names)}")
        for name in names:
            require_name("--models", name)
        return list(names)

    found = []
    for path in find_models(output_dir):
        name = path.stem.removesuffix(MODEL_SUFFIX)
        if (output_dir / f"{name}_metrics.json").is_file():
            found.append(name)
        else:
            print(f"leaving out {name}: {output_dir} has no {name}_metrics.json", file=sys.stderr)
    if not found:
        raise OutputError(
            f"There is no trained model in {output_dir}: make one with "
            "`python scripts/train.py --model cnn`."
        )
    return found


def _load(output_dir: Path, record: Record) -> nn.Module:
    """Load the exported file that a record names."""
    from mnist_lightning.export.loading import load_network
    from mnist_lightning.files.identity import check_file

    remedy = f"make it again with `{record.making_command}`"
    return load_network(check_file(output_dir, record.model.file, remedy))


def _choose_corruptions(names: Sequence[str] | None) -> tuple[Corruption, ...]:
    from mnist_lightning.robustness.catalogue import CORRUPTIONS

    known = {corruption.name: corruption for corruption in CORRUPTIONS}
    for name in names or ():
        if name not in known:
            raise UserError(f"--corruptions: there is no '{name}'; choose from {', '.join(known)}")
    return tuple(one for one in CORRUPTIONS if names is None or one.name in names)


def write_robustness(
    record: Robustness,
    networks: Mapping[str, nn.Module],
    digits: tuple[Pixels, Integers],
    corruptions: Sequence[Corruption],
    output_dir: Path,
) -> list[Path]:
    """Write the figures and the record.

    Args:
        record: The record.
        networks: The networks by name, in the record's order.
        digits: The images to show, uint8 ``(N, 28, 28)``, and their places in the test set.
        corruptions: The corruptions to show.
        output_dir: Where to.

    Returns:
        The files, each replaced in one step; the record comes last.
    """
    from mnist_lightning.files.storage import atomic_path
    from mnist_lightning.reporting.robustness_figure import plot_corruptions, plot_robustness
    from mnist_lightning.robustness.error_rates import FILE_NAME
    from mnist_lightning.robustness.sweeps import SWEEPS

    images, indices = digits
    rows = {"Clean": images} | {one.title: one(images, indices, record.seed) for one in corruptions}
    figures = {
        "robustness.png": plot_robustness(record, {sweep.name: sweep.unit for sweep in SWEEPS}),
        "robustness_corruptions.png": plot_corruptions(
            rows, f"Test digits as the models were shown them, seed {record.seed}"
        ),
    }
    shown = _saliency_figure(record, networks, images)
    if shown:
        figures["saliency.png"] = shown
    else:
        # One of earlier models would look as if it were of these.
        (output_dir / "saliency.png").unlink(missing_ok=True)
    for name, figure in figures.items():
        with atomic_path(output_dir / name) as path:
            figure.savefig(path, dpi=DPI)
    record.write(output_dir / FILE_NAME)
    return [output_dir / name for name in (*figures, FILE_NAME)]


def one_of_each(labels: torch.Tensor, indices: Integers) -> Integers:
    """Return the place, among ``indices``, of the first image of each digit that is there."""
    import numpy as np

    return np.unique(labels.numpy()[indices], return_index=True)[1].astype(np.int64)


def _saliency_figure(
    record: Robustness, networks: Mapping[str, nn.Module], images: Pixels
) -> Figure | None:
    import torch

    from mnist_lightning.reporting.robustness_figure import plot_saliency
    from mnist_lightning.robustness.saliency import saliency

    models = []
    for model in record.models:
        found = saliency(networks[model.name], torch.from_numpy(images).unsqueeze(1))
        if found is None:
            print(f"no saliency of {model.name}: its file gives no gradients", file=sys.stderr)
        else:
            models.append((model.title, *found))
    heading = "Integrated gradients: red pixels speak for the answer, blue ones against it"
    return plot_saliency(images, models, heading) if models else None


def _parser() -> CommandParser:
    parser = CommandParser(
        "robustness.py",
        "Measure trained models on the fifteen corruptions of MNIST-C and on rotated, shifted and "
        "noisy digits. Nothing is trained.",
        EXAMPLES,
    )
    add = parser.add_argument
    models = "prefixes of the files, the baseline first (default: every trained model)"
    add("--models", nargs="+", metavar="NAME", help=models)
    limit = "try a random subset of N test images, stratified by digit (default: all)"
    add("--limit", type=_at_least(1), metavar="N", help=limit)
    corruptions = "try only these (default: all fifteen)"
    add("--corruptions", nargs="+", metavar="NAME", help=corruptions)
    parser.add_output_dir()
    parser.add_data_dir()
    seed = "seed of the corruptions and of the subset (default: 0)"
    add("--seed", type=_at_least(0), default=0, metavar="N", help=seed)
    return parser


def _at_least(least: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        value = int(text)
        if value < least:
            raise ValueError
        return value

    number.__name__ = f"whole number of at least {least},"
    return number
