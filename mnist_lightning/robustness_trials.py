"""All trials of a study of robustness, put together into its record."""

import logging
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from torch import nn

from mnist_lightning.corruptions.catalogue import Corruption
from mnist_lightning.corruptions.draws import Integers
from mnist_lightning.corruptions.sweeps import SWEEPS
from mnist_lightning.data.digits import DigitDataset
from mnist_lightning.errors import OutputError
from mnist_lightning.evaluation.environment import describe_environment
from mnist_lightning.evaluation.record import Record, describe_file
from mnist_lightning.evaluation.robustness import (
    ROBUSTNESS_VERSION,
    ErrorRate,
    RobustModel,
    Robustness,
    SweepPoint,
    mean_error,
    relative_error,
)
from mnist_lightning.evaluation.schema import ModelDescription
from mnist_lightning.evaluation.trial import Trial
from mnist_lightning.loading import load_network
from mnist_lightning.models.progress import progress

LIBRARIES = ("scipy", "scikit-image", "captum")
Rates = dict[str, dict[str, ErrorRate]]

log = logging.getLogger(__name__)


def load_verified(output_dir: Path, record: Record) -> nn.Module:
    """Load the exported file that a record describes.

    Args:
        output_dir: Its folder.
        record: The record.

    Returns:
        The network, on the CPU, in evaluation mode.

    Raises:
        OutputError: The file is missing, damaged, or not the one in the record.
    """
    path = output_dir / Path(record.model.file.name).name
    network = load_network(path)
    if describe_file(path).sha256 != record.model.file.sha256:
        raise OutputError(
            f"{path} is not the file that {record.model.name}_metrics.json describes: make it "
            f"again with `{record.making_command}`."
        )
    return network


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
