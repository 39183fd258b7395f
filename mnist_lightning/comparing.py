"""From checked models to a comparison: nothing here is trained, written or drawn."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt
from torch import Tensor

from mnist_lightning.contestants import Contestant
from mnist_lightning.evaluation.benchmark import BenchmarkSettings, LatencyPoint, benchmark
from mnist_lightning.evaluation.calibration import calibrate
from mnist_lightning.evaluation.compared import (
    Bootstrap,
    ComparedDataset,
    ComparedModel,
    ComparedPair,
)
from mnist_lightning.evaluation.comparison import COMPARISON_VERSION, Comparison
from mnist_lightning.evaluation.conclusion import conclude
from mnist_lightning.evaluation.cost import measure_cost, measure_memory
from mnist_lightning.evaluation.disputed import find_disputed
from mnist_lightning.evaluation.environment import describe_environment
from mnist_lightning.evaluation.label_errors import known_label_errors, without_label_errors
from mnist_lightning.evaluation.paired import (
    BOOTSTRAP_SEED,
    RESAMPLES,
    agreement,
    difference_interval,
    holm,
    mcnemar_p,
    prediction_kappa,
)
from mnist_lightning.evaluation.peak_memory import PeakMemory
from mnist_lightning.evaluation.seeds import SeedStudy


def compare(
    contestants: Sequence[Contestant],
    images: Tensor,
    settings: BenchmarkSettings,
    seeds: SeedStudy,
) -> Comparison:
    """Compare models that answered the same test images.

    Args:
        contestants: The models, the baseline first; at least two.
        images: uint8, ``(N, 1, 28, 28)``, the test images.
        settings: How inference is timed.
        seeds: What is known over several trainings of the same recipe.

    Returns:
        The comparison.
    """
    latencies = benchmark([entry.model for entry in contestants], images, settings)
    memories = measure_memory([entry.path for entry in contestants])
    models = tuple(map(_describe, contestants, latencies, memories))
    pairs = compare_pairs(contestants)
    described = contestants[0].record.dataset
    dataset = ComparedDataset(
        described.name, described.fingerprint, described.is_standard, described.test
    )
    total, disputed = find_disputed(
        [entry.predictions.test.probabilities for entry in contestants],
        contestants[0].predictions.test.labels,
    )
    return Comparison(
        schema_version=COMPARISON_VERSION,
        dataset=dataset,
        models=models,
        pairs=pairs,
        bootstrap=Bootstrap(RESAMPLES, BOOTSTRAP_SEED),
        disputed_total=total,
        disputed=disputed,
        seeds=seeds,
        benchmark=settings,
        conclusion=conclude(dataset, models, pairs, seeds),
        environment=describe_environment(),
    )


def compare_pairs(contestants: Sequence[Contestant]) -> tuple[ComparedPair, ...]:
    """Compare every two models on the test images that both answered.

    Args:
        contestants: The models, at least two.

    Returns:
        The pairs in the models' order, their p values adjusted for the number of pairs.
    """
    couples = list(combinations(contestants, 2))
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
    entry: Contestant, latency: tuple[LatencyPoint, ...], memory: PeakMemory | None
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


def _predicted(entry: Contestant) -> npt.NDArray[np.int64]:
    predicted: npt.NDArray[np.int64] = entry.predictions.test.probabilities.argmax(axis=1)
    return predicted


def _right(entry: Contestant) -> npt.NDArray[np.bool_]:
    right: npt.NDArray[np.bool_] = _predicted(entry) == entry.predictions.test.labels
    return right
