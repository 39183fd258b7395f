"""From checked models to a comparison: nothing here is trained, written or drawn."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt
from torch import Tensor

from mnist_lightning.comparison.conclusion import conclude
from mnist_lightning.comparison.disputed import find_disputed
from mnist_lightning.comparison.loaded_models import LoadedModel
from mnist_lightning.comparison.paired import (
    BOOTSTRAP_SEED,
    RESAMPLES,
    agreement,
    difference_interval,
    holm,
    mcnemar_p,
    prediction_kappa,
)
from mnist_lightning.comparison.schema import (
    COMPARISON_VERSION,
    Bootstrap,
    ComparedDataset,
    ComparedModel,
    ComparedPair,
    Comparison,
)
from mnist_lightning.comparison.seed_study import SeedStudy
from mnist_lightning.evaluation.calibration import calibrate
from mnist_lightning.evaluation.cost import measure_cost, measure_memory
from mnist_lightning.evaluation.label_errors import known_label_errors, without_label_errors
from mnist_lightning.evaluation.latency import BenchmarkSettings, LatencyPoint, benchmark
from mnist_lightning.evaluation.peak_memory import PeakMemory
from mnist_lightning.records.environment import describe_environment


def compare(
    models: Sequence[LoadedModel],
    images: Tensor,
    settings: BenchmarkSettings,
    seeds: SeedStudy,
) -> Comparison:
    """Compare models that answered the same test images.

    Args:
        models: The models, the baseline first; at least two.
        images: uint8, ``(N, 1, 28, 28)``, the test images.
        settings: How inference is timed.
        seeds: What is known over several trainings of the same recipe.

    Returns:
        The comparison.
    """
    latencies = benchmark([entry.model for entry in models], images, settings)
    memories = measure_memory([entry.path for entry in models])
    compared = tuple(map(_describe, models, latencies, memories))
    pairs = compare_pairs(models)
    described = models[0].record.dataset
    dataset = ComparedDataset(
        described.name, described.fingerprint, described.is_standard, described.test
    )
    total, disputed = find_disputed(
        [entry.predictions.test.probabilities for entry in models],
        models[0].predictions.test.labels,
    )
    return Comparison(
        schema_version=COMPARISON_VERSION,
        dataset=dataset,
        models=compared,
        pairs=pairs,
        bootstrap=Bootstrap(RESAMPLES, BOOTSTRAP_SEED),
        disputed_total=total,
        disputed=disputed,
        seeds=seeds,
        benchmark=settings,
        conclusion=conclude(dataset, compared, pairs, seeds),
        environment=describe_environment(),
    )


def compare_pairs(models: Sequence[LoadedModel]) -> tuple[ComparedPair, ...]:
    """Compare every two models on the test images that both answered.

    Args:
        models: The models, at least two.

    Returns:
        The pairs in the models' order, their p values adjusted for the number of pairs.
    """
    couples = list(combinations(models, 2))
    tables = [agreement(_right(first), _right(second)) for first, second in couples]
    p_values = [mcnemar_p(table) for table in tables]
    return tuple(
        ComparedPair(
            first=first.record.model.name,
            second=second.record.model.name,
            agreement=table,
            difference=table.difference,
            interval=difference_interval(table),
            mcnemar_p=p,
            adjusted_p=adjusted,
            kappa=prediction_kappa(_predicted(first), _predicted(second)),
        )
        for (first, second), table, p, adjusted in zip(
            couples, tables, p_values, holm(p_values), strict=True
        )
    )


def _describe(
    entry: LoadedModel, latency: tuple[LatencyPoint, ...], memory: PeakMemory | None
) -> ComparedModel:
    record, test, validation = entry.record, entry.predictions.test, entry.predictions.validation
    on_gpu = record.training.accelerator != "cpu"
    cleaned = None
    if record.dataset.is_standard:
        known = known_label_errors().errors
        cleaned = without_label_errors(_predicted(entry), test.labels, known)
    return ComparedModel(
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
        calibration=calibrate(
            test.probabilities, test.labels, validation.probabilities, validation.labels
        ),
        cost=measure_cost(entry.model, entry.path, record.model.parameters, memory),
        latency=latency,
    )


def _predicted(entry: LoadedModel) -> npt.NDArray[np.int64]:
    predicted: npt.NDArray[np.int64] = entry.predictions.test.probabilities.argmax(axis=1)
    return predicted


def _right(entry: LoadedModel) -> npt.NDArray[np.bool_]:
    right: npt.NDArray[np.bool_] = _predicted(entry) == entry.predictions.test.labels
    return right
