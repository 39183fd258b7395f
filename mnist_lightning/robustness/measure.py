"""Measures the error rates of models on clean, corrupted and increasingly distorted test images."""

import logging
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version

import numpy as np
import torch
from torch import Tensor, nn

from mnist_lightning.data.digits import DigitDataset, Pixels
from mnist_lightning.evaluation.inference import predict_logits
from mnist_lightning.records.environment import describe_environment
from mnist_lightning.records.record import ModelDescription, Record
from mnist_lightning.robustness import error_rates
from mnist_lightning.robustness.catalogue import Corruption
from mnist_lightning.robustness.draws import Integers
from mnist_lightning.robustness.sweeps import SWEEPS
from mnist_lightning.terminal.long_jobs import progress

# Images between two updates of the progress bar.
CHUNK = 500
#: The libraries on which the corruptions depend.
LIBRARIES = ("scipy", "scikit-image", "captum")
#: Error rates by model name.
Rates = dict[str, error_rates.ErrorRate]

log = logging.getLogger(__name__)


def measure_robustness(
    records: Sequence[Record],
    networks: Mapping[str, nn.Module],
    dataset: DigitDataset,
    indices: Integers,
    corruptions: Sequence[Corruption],
    *,
    seed: int,
    command: Sequence[str],
) -> error_rates.Robustness:
    """Measure all models on clean, corrupted and distorted images.

    Args:
        records: The records of the models, the baseline first.
        networks: The networks by model name.
        dataset: The dataset that the models were tested on.
        indices: Indices of the test images to use.
        corruptions: The corruptions to measure, at least one.
        seed: Seed of the corruptions.
        command: The arguments of the command.

    Returns:
        The record.
    """
    environment = describe_environment()
    settings = 1 + len(corruptions) + sum(len(sweep.strengths) for sweep in SWEEPS)
    total = settings * len(indices) * len(networks)
    images, labels = dataset.test.images[indices, 0].numpy(), dataset.test.labels[indices]
    with progress("corrupted digits", total, 0, log) as advance:

        def rates(pixels: Pixels) -> Rates:
            return {
                name: _error_rate(network, pixels, labels, advance)
                for name, network in networks.items()
            }

        clean = rates(images)
        corrupted = {one.name: rates(one(images, indices, seed)) for one in corruptions}
        swept = {
            sweep.name: {0.0: clean}
            | {s: rates(sweep(images, indices, seed, s)) for s in sweep.strengths}
            for sweep in SWEEPS
        }
    baseline = _of_model(corrupted, records[0].model.name)
    return error_rates.Robustness(
        schema_version=error_rates.ROBUSTNESS_VERSION,
        dataset=dataset.name,
        fingerprint=dataset.fingerprint,
        images=len(indices),
        test=len(dataset.test),
        seed=seed,
        models=tuple(_describe(one.model, clean, corrupted, swept, baseline) for one in records),
        command=tuple(command),
        libraries={name: version(name) for name in LIBRARIES},
        environment=environment,
    )


def _error_rate(
    network: nn.Module, pixels: Pixels, labels: Tensor, advance: Callable[[int], object]
) -> error_rates.ErrorRate:
    images, errors = torch.from_numpy(pixels).unsqueeze(1), 0
    for start in range(0, len(images), CHUNK):
        chunk = slice(start, start + CHUNK)
        predicted = predict_logits(network, images[chunk]).argmax(dim=1)
        errors += int((predicted != labels[chunk]).sum())
        advance(len(predicted))
    return error_rates.error_rate(errors, len(labels))


def _describe(
    model: ModelDescription,
    clean: Rates,
    corrupted: Mapping[str, Rates],
    swept: Mapping[str, Mapping[float, Rates]],
    baseline: Rates,
) -> error_rates.RobustModel:
    rates = _of_model(corrupted, model.name)
    return error_rates.RobustModel(
        name=model.name,
        title=model.title,
        file=model.file,
        clean=clean[model.name],
        corruptions=rates,
        mean_corruption_error=float(np.mean([rate.rate for rate in rates.values()])),
        relative=error_rates.relative_error(rates, baseline),
        sweeps={
            sweep: tuple(
                error_rates.SweepPoint(float(s), found[model.name]) for s, found in points.items()
            )
            for sweep, points in swept.items()
        },
    )


def _of_model(corrupted: Mapping[str, Rates], name: str) -> dict[str, error_rates.ErrorRate]:
    """Return the error rates of one model by corruption."""
    return {corruption: rates[name] for corruption, rates in corrupted.items()}
