"""The files that a study of robustness leaves."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import nn

from mnist_lightning.corruptions.catalogue import Corruption
from mnist_lightning.corruptions.draws import Integers, Pixels
from mnist_lightning.corruptions.sweeps import SWEEPS
from mnist_lightning.evaluation.robustness import FILE_NAME, Robustness
from mnist_lightning.evaluation.saliency import saliency
from mnist_lightning.reporting.robustness_figure import (
    plot_corruptions,
    plot_robustness,
    plot_saliency,
)
from mnist_lightning.storage import atomic_path

# Screens show no more; at the DPI of the other figures these would take over 300 kB.
DPI = 90


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
    return np.unique(labels.numpy()[indices], return_index=True)[1].astype(np.int64)


def _saliency_figure(
    record: Robustness, networks: Mapping[str, nn.Module], images: Pixels
) -> Figure | None:
    models = []
    for model in record.models:
        found = saliency(networks[model.name], torch.from_numpy(images).unsqueeze(1))
        if found is None:
            print(f"no saliency of {model.name}: its file gives no gradients", file=sys.stderr)
        else:
            models.append((model.title, *found))
    heading = "Integrated gradients: red pixels speak for the answer, blue ones against it"
    return plot_saliency(images, models, heading) if models else None
