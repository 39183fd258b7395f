"""Measures the error rates of models on clean, corrupted and increasingly distorted test images."""

import logging
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version

import numpy as np
import torch
from torch import nn

from mnist_lightning.data.digits import DigitDataset, Pixels
from mnist_lightning.evaluation.inference import predict_logits
from mnist_lightning.evaluation.rejection import Rejection
from mnist_lightning.export.trained_model import TrainedModel
from mnist_lightning.records.environment import describe_environment
from mnist_lightning.records.record import ModelDescription, Record
from mnist_lightning.robustness import error_rates
from mnist_lightning.robustness.catalogue import CORRUPTIONS, Corruption
from mnist_lightning.robustness.draws import Integers
from mnist_lightning.robustness.selective_errors import (
    SelectiveErrorRate,
    answered_error,
    mean_coverage,
    mean_error,
    selective,
)
from mnist_lightning.robustness.sweeps import SWEEPS, Sweep
from mnist_lightning.terminal.long_jobs import progress

# Images between two updates of the progress bar.
CHUNK = 500
#: The libraries on which the corruptions and the saliency depend.
LIBRARIES = ("scipy", "scikit-image", "captum")
#: Error rates by model name.
Rates = dict[str, SelectiveErrorRate]

log = logging.getLogger(__name__)


def measure_errors(
    networks: Mapping[str, nn.Module],
    images: Pixels,
    labels: Integers,
    *,
    seed: int,
    indices: Integers | None = None,
    rejections: Mapping[str, Rejection | None] | None = None,
    corruptions: Sequence[Corruption] = CORRUPTIONS,
    sweeps: Sequence[Sweep] = SWEEPS,
) -> dict[str, error_rates.Measured]:
    """Measure networks on any images, such as training images that were held out.

    Args:
        networks: The networks by name, in eval mode, uint8 ``(N, 1, 28, 28)`` to float32 logits
            ``(N, 10)``.
        images: uint8, ``(N, 28, 28)``, 0 is background and 255 is ink; N is at least 1.
        labels: int64, ``(N,)``, each 0 to 9.
        seed: Seed of the corruptions, at least 0.
        indices: int64, ``(N,)``, the index of each image, which selects its random numbers; None
            for 0 to N - 1.
        rejections: The rejection rule of each network; None, or a network without one, for none.
        corruptions: The corruptions to measure, at the severity of MNIST-C.
        sweeps: The distortions to measure at increasing strengths.

    Returns:
        The error rates by name. Every network sees the same pixels.
    """
    chosen = np.arange(len(images)) if indices is None else indices
    settings = 1 + len(corruptions) + sum(len(sweep.strengths) for sweep in sweeps)
    with progress("corrupted digits", settings * len(images) * len(networks), 0, log) as advance:

        def rates(pixels: Pixels) -> Rates:
            return {
                name: _errors(network, (rejections or {}).get(name), pixels, labels, advance)
                for name, network in networks.items()
            }

        clean = rates(images)
        corrupted = {one.name: rates(one(images, chosen, seed)) for one in corruptions}
        swept = {
            sweep.name: {0.0: clean}
            | {s: rates(sweep(images, chosen, seed, s)) for s in sweep.strengths}
            for sweep in sweeps
        }
    return {
        name: error_rates.Measured(
            clean[name],
            {corruption: found[name] for corruption, found in corrupted.items()},
            {
                sweep: tuple(
                    error_rates.SweepPoint(float(s), found[name]) for s, found in points.items()
                )
                for sweep, points in swept.items()
            },
        )
        for name in networks
    }


def measure_robustness(
    records: Sequence[Record],
    trained: Mapping[str, TrainedModel],
    dataset: DigitDataset,
    indices: Integers,
    corruptions: Sequence[Corruption],
    *,
    seed: int,
    command: Sequence[str],
) -> error_rates.Robustness:
    """Measure all models on clean, corrupted and distorted test images.

    Args:
        records: The records of the models, the baseline first.
        trained: The models with their rejection rules, by name.
        dataset: The dataset that the models were tested on.
        indices: Indices of the test images to use.
        corruptions: The corruptions to measure, at least one.
        seed: Seed of the corruptions.
        command: The arguments of the command.

    Returns:
        The record.
    """
    environment = describe_environment()
    measured = measure_errors(
        {name: model.network for name, model in trained.items()},
        dataset.test.images[indices, 0].numpy(),
        dataset.test.labels[indices].numpy(),
        seed=seed,
        indices=indices,
        rejections={name: model.rejection for name, model in trained.items()},
        corruptions=corruptions,
    )
    return error_rates.Robustness(
        schema_version=error_rates.ROBUSTNESS_VERSION,
        corruptions_version=error_rates.CORRUPTIONS_VERSION,
        dataset=dataset.name,
        fingerprint=dataset.fingerprint,
        images=len(indices),
        test=len(dataset.test),
        seed=seed,
        models=tuple(
            _describe(one.model, measured[one.model.name], trained[one.model.name].rejection)
            for one in records
        ),
        command=tuple(command),
        libraries={name: version(name) for name in LIBRARIES},
        environment=environment,
    )


def _errors(
    network: nn.Module,
    rejection: Rejection | None,
    pixels: Pixels,
    labels: Integers,
    advance: Callable[[int], object],
) -> SelectiveErrorRate:
    images, found = torch.from_numpy(pixels).unsqueeze(1), []
    for start in range(0, len(images), CHUNK):
        logits = predict_logits(network, images[start : start + CHUNK])
        found.append(logits.softmax(dim=1).numpy())
        advance(len(logits))
    probabilities = np.concatenate(found)
    wrong = probabilities.argmax(axis=1) != labels
    return selective(wrong, rejection.accepts(probabilities) if rejection else None)


def _describe(
    model: ModelDescription, measured: error_rates.Measured, rejection: Rejection | None
) -> error_rates.RobustModel:
    rates = measured.corruptions.values()
    return error_rates.RobustModel(
        name=model.name,
        title=model.title,
        file=model.file,
        rejection=rejection,
        clean=measured.clean,
        corruptions=measured.corruptions,
        mean_error=mean_error(rates),
        mean_coverage=mean_coverage(rates),
        answered_error=answered_error(rates),
        sweeps=measured.sweeps,
    )
