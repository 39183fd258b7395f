"""Builds a comparison from loaded models."""

import logging
from collections.abc import Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt
from torch import Tensor

from mnist_lightning.comparison import paired, schema
from mnist_lightning.comparison.conclusion import conclude
from mnist_lightning.comparison.disputed import find_disputed
from mnist_lightning.comparison.loaded_models import LoadedModel
from mnist_lightning.comparison.seed_study import SeedStudy
from mnist_lightning.evaluation.calibration import calibrate, scale
from mnist_lightning.evaluation.cost import measure_cost, measure_memory
from mnist_lightning.evaluation.label_errors import known_label_errors, without_label_errors
from mnist_lightning.evaluation.latency import BenchmarkSettings, LatencyPoint, benchmark
from mnist_lightning.evaluation.peak_memory import PeakMemory
from mnist_lightning.records.environment import describe_environment
from mnist_lightning.terminal.wording import count

log = logging.getLogger(__name__)


def compare(
    models: Sequence[LoadedModel], images: Tensor, settings: BenchmarkSettings, seeds: SeedStudy
) -> schema.Comparison:
    """Compare models on the same test images.

    Args:
        models: At least two models, the baseline first.
        images: uint8, ``(N, 1, 28, 28)``, the test images.
        settings: Settings of the latency benchmark.
        seeds: Results over several seeds of the same recipes.

    Returns:
        The comparison.
    """
    latencies = benchmark([entry.model for entry in models], images, settings)
    log.info("Measuring the peak memory of %s ...", count(len(models), "model"))
    memories = measure_memory([entry.path for entry in models])
    compared = tuple(map(_describe, models, latencies, memories))
    pairs = compare_pairs(models)
    described = models[0].record.dataset
    dataset = schema.ComparedDataset(
        described.name, described.fingerprint, described.is_standard, described.test
    )
    total, disputed = find_disputed(
        [
            _calibrated(entry, model.calibration.temperature)
            for entry, model in zip(models, compared, strict=True)
        ],
        models[0].predictions.test.labels,
    )
    return schema.Comparison(
        schema_version=schema.COMPARISON_VERSION,
        dataset=dataset,
        models=compared,
        pairs=pairs,
        bootstrap=schema.Bootstrap(paired.RESAMPLES, paired.BOOTSTRAP_SEED),
        disputed_total=total,
        disputed=disputed,
        seeds=seeds,
        benchmark=settings,
        conclusion=conclude(dataset, compared, pairs, seeds),
        environment=describe_environment(),
    )


def compare_pairs(models: Sequence[LoadedModel]) -> tuple[schema.ComparedPair, ...]:
    """Compare every pair of models on the test images.

    Args:
        models: At least two models.

    Returns:
        The pairs in the models' order, with p values adjusted for the number of pairs.
    """
    pairs = list(combinations(models, 2))
    tables = [paired.agreement(first.correct, second.correct) for first, second in pairs]
    p_values = [paired.mcnemar_p(table) for table in tables]
    return tuple(
        schema.ComparedPair(
            first=first.record.model.name,
            second=second.record.model.name,
            agreement=table,
            difference=table.difference,
            interval=paired.difference_interval(table),
            mcnemar_p=p,
            adjusted_p=adjusted,
            kappa=paired.prediction_kappa(first.predicted, second.predicted),
        )
        for (first, second), table, p, adjusted in zip(
            pairs, tables, p_values, paired.holm(p_values), strict=True
        )
    )


def _describe(
    entry: LoadedModel, latency: tuple[LatencyPoint, ...], memory: PeakMemory | None
) -> schema.ComparedModel:
    record, test, validation = entry.record, entry.predictions.test, entry.predictions.validation
    kept = validation.probabilities, validation.labels
    on_gpu = record.training.accelerator != "cpu"
    cleaned = None
    if record.dataset.is_standard:
        known = known_label_errors().errors
        cleaned = without_label_errors(entry.predicted, test.labels, known)
    return schema.ComparedModel(
        name=record.model.name,
        preset=record.model.preset,
        title=record.model.title,
        weights=record.model.weights,
        record=entry.record_file,
        model=record.model.file,
        verification=entry.verification,
        training=record.training,
        trained_on=(on_gpu and record.environment.gpu) or record.environment.processor,
        test=record.test,
        without_label_errors=cleaned,
        calibration=calibrate(test.probabilities, test.labels, *kept, record.model.temperature),
        cost=measure_cost(entry.model, entry.path, record.model.parameters, memory),
        latency=latency,
    )


def _calibrated(entry: LoadedModel, temperature: float) -> npt.NDArray[np.floating]:
    """Return the calibrated probabilities of the test images, ``(N, 10)``."""
    probabilities = entry.predictions.test.probabilities
    folded = entry.record.model.temperature is not None
    return probabilities if folded else scale(probabilities, temperature)
