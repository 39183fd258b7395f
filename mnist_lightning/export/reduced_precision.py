"""Files with less precise numbers, which are kept only where they are worth it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median

import torch
from torch import Tensor, nn

from mnist_lightning.evaluation.inference import predict_logits
from mnist_lightning.evaluation.latency import THROUGHPUT_BATCH, interleaved_seconds
from mnist_lightning.evaluation.metrics import count_correct
from mnist_lightning.evaluation.parity import measure_parity
from mnist_lightning.export.bfloat16 import export_bfloat16
from mnist_lightning.export.int8 import quantize_onnx
from mnist_lightning.export.loading import load_network
from mnist_lightning.export.metadata import ExportSource
from mnist_lightning.files.identity import describe_file
from mnist_lightning.files.storage import copy_file
from mnist_lightning.records.artefacts import MODEL_SUFFIX
from mnist_lightning.records.exported_files import BFLOAT16, INT8, ReducedPrecision

#: Timed calls of each file with a large batch; with a single image ten times as many.
ROUNDS = 30


@dataclass(frozen=True)
class _Variant:
    """A kind of file.

    Attributes:
        title: Its name in tables.
        needs: The format of the float32 file that it is compared with.
        original: The suffix of that file.
        suffix: Its own suffix.
        calibrated: Whether training images set the ranges of its numbers.
        write: Writes it, given the source, the original and the destination.
    """

    title: str
    needs: str
    original: str
    suffix: str
    calibrated: bool
    write: Callable[[ExportSource, Path, Path], None]


VARIANTS = {
    "int8": _Variant(
        INT8,
        "onnx",
        f"{MODEL_SUFFIX}.onnx",
        f"{MODEL_SUFFIX}_int8.onnx",
        True,
        lambda source, original, path: quantize_onnx(original, path, source.calibration),
    ),
    "bfloat16": _Variant(
        BFLOAT16,
        "torchscript",
        f"{MODEL_SUFFIX}.pt",
        f"{MODEL_SUFFIX}_bfloat16.pt",
        False,
        lambda source, _, path: export_bfloat16(source.network, path, source.metadata),
    ),
}
"""The kinds by the names that ``--formats`` takes."""


def try_variant(
    kind: str, source: ExportSource, folder: Path, expected: Tensor
) -> ReducedPrecision:
    """Write a less precise file of a model, measure it, and keep it if it is worth it.

    Args:
        kind: A key of ``VARIANTS``.
        source: The network.
        folder: Folder with its float32 file of the same format. An older file of this kind is
            deleted if the new one is not kept.
        expected: float32 ``(N, 10)``, the network's logits for the test images.

    Returns:
        The measurements.
    """
    variant, name = VARIANTS[kind], source.model.name
    images, labels = source.test.images, source.test.labels
    original, path = folder / f"{name}{variant.original}", folder / f"{name}{variant.suffix}"
    with tempfile.TemporaryDirectory() as scratch:
        trial = Path(scratch, path.name)
        variant.write(source, original, trial)
        networks = load_network(original), load_network(trial)
        float_logits, logits = (predict_logits(network, images) for network in networks)
        correct = count_correct(logits, labels)
        batch = images[torch.arange(THROUGHPUT_BATCH) % len(images)]
        result = ReducedPrecision(
            file=describe_file(trial),
            bytes=trial.stat().st_size,
            parity=measure_parity(variant.title, expected, logits),
            correct=correct,
            accuracy=correct / len(images),
            accuracy_change=(correct - count_correct(float_logits, labels)) / len(images),
            calibration_images=len(source.calibration) if variant.calibrated else 0,
            threads=torch.get_num_threads(),
            rounds=ROUNDS,
            speedup_single=_speedup(networks, images[:1], 10 * ROUNDS),
            speedup_batched=_speedup(networks, batch, ROUNDS),
            batch_size=THROUGHPUT_BATCH,
            processor=source.environment.processor,
        )
        if result.is_worth_it:
            copy_file(trial, path)
            return result
    path.unlink(missing_ok=True)
    return replace(result, file=None)


def _speedup(networks: tuple[nn.Module, nn.Module], images: Tensor, rounds: int) -> float:
    """Return the median over rounds of the first network's time divided by the second's."""
    first, second = interleaved_seconds(
        [partial(network, images) for network in networks], minimum=rounds
    )
    return median(a / b for a, b in zip(first, second, strict=True))
