"""Measures the error rates of models on clean, corrupted and increasingly distorted test images."""

import logging
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version

import numpy as np
import torch

from mnist_lightning.data.digits import DigitDataset, Digits, Pixels
from mnist_lightning.evaluation.inference import predict_logits
from mnist_lightning.evaluation.rejection import Rejection
from mnist_lightning.export.trained_model import TrainedModel
from mnist_lightning.records.environment import describe_environment
from mnist_lightning.records.record import ModelDescription, Record
from mnist_lightning.robustness import error_rates
from mnist_lightning.robustness.catalogue import Corruption
from mnist_lightning.robustness.draws import Integers
from mnist_lightning.robustness.selective_errors import (
    SelectiveErrorRate,
    answered_error,
    mean_coverage,
    mean_error,
    selective,
)
from mnist_lightning.robustness.sweeps import SWEEPS
from mnist_lightning.terminal.long_jobs import progress

# Images between two updates of the progress bar.
CHUNK = 500
#: The libraries on which the corruptions and the saliency depend.
LIBRARIES = ("scipy", "scikit-image", "captum")
#: Error rates by model name.
Rates = dict[str, SelectiveErrorRate]

log = logging.getLogger(__name__)


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
        The record. Every model sees the same pixels.
    """
    environment = describe_environment()
    test = dataset.test[torch.from_numpy(indices)]
    clean, corrupted, swept = _measure(trained, test, indices, corruptions, seed)
    return error_rates.Robustness(
        schema_version=error_rates.ROBUSTNESS_VERSION,
        corruptions_version=error_rates.CORRUPTIONS_VERSION,
        dataset=dataset.name,
        fingerprint=dataset.fingerprint,
        images=len(indices),
        test=len(dataset.test),
        seed=seed,
        models=tuple(
            _describe(one.model, trained[one.model.name].rejection, clean, corrupted, swept)
            for one in records
        ),
        command=tuple(command),
        libraries={name: version(name) for name in LIBRARIES},
        environment=environment,
    )


def _measure(
    trained: Mapping[str, TrainedModel],
    test: Digits,
    indices: Integers,
    corruptions: Sequence[Corruption],
    seed: int,
) -> tuple[Rates, dict[str, Rates], dict[str, dict[float, Rates]]]:
    """Return the rates on clean images, under each corruption, and at each strength of a sweep."""
    images, labels = test.images[:, 0].numpy(), test.labels.numpy()
    settings = 1 + len(corruptions) + sum(len(sweep.strengths) for sweep in SWEEPS)
    with progress("corrupted digits", settings * len(images) * len(trained), 0, log) as advance:

        def rates(pixels: Pixels) -> Rates:
            return {
                name: _errors(model, pixels, labels, advance) for name, model in trained.items()
            }

        clean = rates(images)
        corrupted = {one.name: rates(one(images, indices, seed)) for one in corruptions}
        swept = {
            sweep.name: {0.0: clean}
            | {s: rates(sweep(images, indices, seed, s)) for s in sweep.strengths}
            for sweep in SWEEPS
        }
    return clean, corrupted, swept


def _errors(
    model: TrainedModel, pixels: Pixels, labels: Integers, advance: Callable[[int], object]
) -> SelectiveErrorRate:
    images, found = torch.from_numpy(pixels).unsqueeze(1), []
    for batch in torch.split(images, CHUNK):
        found.append(predict_logits(model.network, batch).softmax(dim=1).numpy())
        advance(len(batch))
    probabilities = np.concatenate(found)
    wrong = probabilities.argmax(axis=1) != labels
    return selective(wrong, model.rejection.accepts(probabilities) if model.rejection else None)


def _describe(
    model: ModelDescription,
    rejection: Rejection | None,
    clean: Rates,
    corrupted: Mapping[str, Rates],
    swept: Mapping[str, Mapping[float, Rates]],
) -> error_rates.RobustModel:
    name = model.name
    rates = {corruption: found[name] for corruption, found in corrupted.items()}
    return error_rates.RobustModel(
        name=name,
        title=model.title,
        file=model.file,
        rejection=rejection,
        clean=clean[name],
        corruptions=rates,
        mean_error=mean_error(rates.values()),
        mean_coverage=mean_coverage(rates.values()),
        answered_error=answered_error(rates.values()),
        sweeps={
            sweep: tuple(
                error_rates.SweepPoint(float(s), found[name]) for s, found in points.items()
            )
            for sweep, points in swept.items()
        },
    )
