"""Several networks on the same digits, clean and corrupted."""

import logging
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from mnist_lightning.data.digits import DigitDataset
from mnist_lightning.evaluation.inference import predict_logits
from mnist_lightning.records.environment import describe_environment
from mnist_lightning.records.record import ModelDescription, Record
from mnist_lightning.robustness.catalogue import Corruption
from mnist_lightning.robustness.draws import Integers, Pixels
from mnist_lightning.robustness.error_rates import (
    ROBUSTNESS_VERSION,
    ErrorRate,
    RobustModel,
    Robustness,
    SweepPoint,
    error_rate,
    mean_error,
    relative_error,
)
from mnist_lightning.robustness.sweeps import SWEEPS, Sweep
from mnist_lightning.terminal.long_jobs import progress

# Images between two reports of progress.
PART = 500
#: The libraries that the corruptions depend on.
LIBRARIES = ("scipy", "scikit-image", "captum")
Rates = dict[str, dict[str, ErrorRate]]

log = logging.getLogger(__name__)


def stratified_subset(labels: npt.NDArray[np.int64], limit: int, seed: int) -> Integers:
    """Choose images at random, each digit in proportion to its number.

    Args:
        labels: int64, ``(N,)``.
        limit: How many to choose, at least 1; all where there are not more.
        seed: Seed of the choice.

    Returns:
        Their indices, int64, ``(min(N, limit),)``, in growing order.
    """
    if limit >= len(labels):
        return np.arange(len(labels))
    order = np.random.default_rng(seed).permutation(len(labels))
    # Each image's place within its digit, as a share: the smallest shares are a stratified choice.
    shares = np.empty(len(labels))
    for digit in np.unique(labels):
        places = order[labels[order] == digit]
        shares[places] = (np.arange(len(places)) + 0.5) / len(places)
    return np.sort(order[np.argsort(shares[order], kind="stable")][:limit]).astype(np.int64)


class Trial:
    """Images on which several networks are tried, corruption after corruption.

    Args:
        networks: uint8 ``(N, 1, 28, 28)`` to float32 ``(N, 10)``, in eval mode, by name.
        images: uint8, ``(N, 28, 28)``.
        labels: int64, ``(N,)``.
        indices: int64, ``(N,)``: the images' places in the test set.
        seed: Seed of the corruptions.
        advance: Called with the number of images just predicted by one network.
    """

    def __init__(
        self,
        networks: Mapping[str, nn.Module],
        images: Pixels,
        labels: Tensor,
        indices: Integers,
        seed: int,
        advance: Callable[[int], object],
    ) -> None:
        self._networks, self._images, self._labels = networks, images, labels
        self._indices, self._seed, self._advance = indices, seed, advance

    def clean(self) -> dict[str, ErrorRate]:
        """Try the images as they are; the rates are by the network's name, as in all trials."""
        return self._try(self._images)

    def corrupted(self, corruption: Corruption) -> dict[str, ErrorRate]:
        """Try a corruption."""
        return self._try(corruption(self._images, self._indices, self._seed))

    def swept(self, sweep: Sweep, strength: float) -> dict[str, ErrorRate]:
        """Try one strength of a sweep."""
        return self._try(sweep(self._images, self._indices, self._seed, strength))

    def _try(self, images: Pixels) -> dict[str, ErrorRate]:
        tensors = torch.from_numpy(images).unsqueeze(1)
        rates = {}
        for name, network in self._networks.items():
            errors = 0
            for start in range(0, len(images), PART):
                part = slice(start, start + PART)
                predicted = predict_logits(network, tensors[part]).argmax(dim=1)
                errors += int((predicted != self._labels[part]).sum())
                self._advance(len(predicted))
            rates[name] = error_rate(errors, len(images))
        return rates


def try_models(
    records: Sequence[Record],
    networks: Mapping[str, nn.Module],
    dataset: DigitDataset,
    indices: Integers,
    corruptions: Sequence[Corruption],
    *,
    seed: int,
    command: Sequence[str],
) -> Robustness:
    """Try all models on clean, corrupted and swept images.

    Args:
        records: Of the models, the baseline first.
        networks: The networks by the models' names.
        dataset: What the models were tested on.
        indices: Which test images to take.
        corruptions: Which corruptions to try, at least one.
        seed: Seed of the corruptions.
        command: The command line, word by word.

    Returns:
        The record.
    """
    environment = describe_environment()
    settings = 1 + len(corruptions) + sum(len(sweep.strengths) for sweep in SWEEPS)
    total = settings * len(indices) * len(networks)
    images, labels = dataset.test.images[indices, 0].numpy(), dataset.test.labels[indices]
    with progress("corrupted digits", total, 0, log) as advance:
        trial = Trial(networks, images, labels, indices, seed, advance)
        clean = trial.clean()
        corrupted = {one.name: trial.corrupted(one) for one in corruptions}
        swept = {
            sweep.name: {0.0: clean} | {s: trial.swept(sweep, s) for s in sweep.strengths}
            for sweep in SWEEPS
        }
    first = _of_model(corrupted, records[0].model.name)
    models = tuple(_describe(record.model, clean, corrupted, swept, first) for record in records)
    return Robustness(
        schema_version=ROBUSTNESS_VERSION,
        dataset=dataset.name,
        fingerprint=dataset.fingerprint,
        images=len(indices),
        test=len(dataset.test),
        seed=seed,
        models=models,
        command=tuple(command),
        libraries={name: version(name) for name in LIBRARIES},
        environment=environment,
    )


def _describe(
    model: ModelDescription,
    clean: dict[str, ErrorRate],
    corrupted: Rates,
    swept: dict[str, dict[float, dict[str, ErrorRate]]],
    baseline: dict[str, ErrorRate],
) -> RobustModel:
    rates = _of_model(corrupted, model.name)
    return RobustModel(
        name=model.name,
        title=model.title,
        file=model.file,
        clean=clean[model.name],
        corruptions=rates,
        mean_corruption_error=mean_error(list(rates.values())),
        relative=relative_error(rates, baseline),
        sweeps={
            sweep: tuple(SweepPoint(float(s), found[model.name]) for s, found in points.items())
            for sweep, points in swept.items()
        },
    )


def _of_model(rates: Rates, name: str) -> dict[str, ErrorRate]:
    return {corruption: by_model[name] for corruption, by_model in rates.items()}
