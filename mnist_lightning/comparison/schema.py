"""The parts of a comparison: its images, its models, its pairs."""

from dataclasses import dataclass
from pathlib import Path

from mnist_lightning.comparison.paired import Agreement
from mnist_lightning.comparison.seed_study import SeedStudy
from mnist_lightning.evaluation.calibration import Calibration
from mnist_lightning.evaluation.cost import Cost
from mnist_lightning.evaluation.label_errors import WithoutLabelErrors
from mnist_lightning.evaluation.latency import BenchmarkSettings, LatencyPoint
from mnist_lightning.evaluation.metrics import DetailedMetrics, Interval
from mnist_lightning.files.identity import FileDescription
from mnist_lightning.files.json_document import read_document, write_document
from mnist_lightning.records.environment import Environment
from mnist_lightning.records.record import Training, dataset_label


@dataclass(frozen=True)
class ComparedDataset:
    """The images that all models answered.

    Attributes:
        name: Name of the dataset, e.g. ``MNIST``.
        fingerprint: SHA-256 over all its pixels and labels; the same in every model's record.
        is_standard: Whether it is the standard MNIST, so that the known label errors apply.
        test: Number of test images.
    """

    name: str
    fingerprint: str
    is_standard: bool
    test: int

    @property
    def label(self) -> str:
        """What titles call it."""
        return dataset_label(self.name, self.fingerprint)


@dataclass(frozen=True)
class Verification:
    """The recorded predictions against the exported file, run again before anything was compared.

    Attributes:
        n: Number of test images that were predicted again, evenly spread.
        max_abs_difference: Largest absolute difference between two probabilities.
    """

    n: int
    max_abs_difference: float


@dataclass(frozen=True)
class ComparedModel:
    """One of the models.

    Attributes:
        name: Prefix of its files, e.g. ``custom_cnn``.
        preset: What ``--model`` takes to train it again.
        title: Its name for people; it says so where the weights are random instead of pretrained.
        weights: What training started from.
        record: The file with its record.
        model: The exported file.
        verification: The exported file against the recorded predictions.
        training: How it was trained.
        trained_on: The processor or GPU that it was trained on.
        test: The exported model on the test images.
        without_label_errors: The same without the images whose labels are known to be wrong; null
            where the dataset is not the standard MNIST.
        calibration: Whether its confidence means what it says.
        cost: Size and demands.
        latency: CPU inference, by thread count and then batch size.
    """

    name: str
    preset: str
    title: str
    weights: str
    record: FileDescription
    model: FileDescription
    verification: Verification
    training: Training
    trained_on: str
    test: DetailedMetrics
    without_label_errors: WithoutLabelErrors | None
    calibration: Calibration
    cost: Cost
    latency: tuple[LatencyPoint, ...]

    @property
    def is_ensemble(self) -> bool:
        """Whether it was made of several trainings."""
        return self.training.seed is None

    def point(self, threads: int, batch_size: int) -> LatencyPoint:
        """Return the latency at a thread count and batch size that were measured."""
        return next(
            point
            for point in self.latency
            if (point.threads, point.batch_size) == (threads, batch_size)
        )


@dataclass(frozen=True)
class ComparedPair:
    """Two models against each other.

    Attributes:
        first: Name of the first model.
        second: Name of the second model.
        agreement: On how many images both, one or none is right.
        difference: Accuracy of the second minus that of the first, -1 to 1.
        interval: Confidence interval of ``difference`` from the paired bootstrap; null where no
            image tells the two apart.
        mcnemar_p: Two-sided p value of McNemar's exact test.
        adjusted_p: The same, adjusted by Holm's method for the number of pairs.
        kappa: Cohen's kappa of the two models' predictions; null where both always predict one
            and the same digit.
    """

    first: str
    second: str
    agreement: Agreement
    difference: float
    interval: Interval | None
    mcnemar_p: float
    adjusted_p: float
    kappa: float | None


@dataclass(frozen=True)
class Answer:
    """What a model says of one image.

    Attributes:
        predicted: The digit, 0 to 9.
        confidence: Its probability, 0 to 1.
    """

    predicted: int
    confidence: float


@dataclass(frozen=True)
class DisputedImage:
    """A test image that some models get right and others wrong.

    Attributes:
        index: Its position among the test images.
        label: Its label, 0 to 9.
        answers: One of each model, in the order of the models.
    """

    index: int
    label: int
    answers: tuple[Answer, ...]


@dataclass(frozen=True)
class Bootstrap:
    """How the intervals of differences were drawn.

    Attributes:
        resamples: Number of bootstrap samples.
        seed: Their seed.
    """

    resamples: int
    seed: int


COMPARISON_VERSION = 1


FILE_NAME = "model_comparison.json"


@dataclass(frozen=True)
class Comparison:
    """Everything that was compared.

    Attributes:
        schema_version: Version of this schema.
        dataset: The images.
        models: The models, the baseline first; at least two.
        pairs: Every two models, in the models' order.
        bootstrap: How the intervals of differences were drawn.
        disputed_total: Number of images that some models get right and others wrong.
        disputed: At most sixty of these; those come first where a model that is wrong is surest.
        seeds: What is known over several trainings of the same recipe.
        benchmark: How inference was timed.
        conclusion: What may and may not be concluded, in sentences.
        environment: Where and when the comparison was made.
    """

    schema_version: int
    dataset: ComparedDataset
    models: tuple[ComparedModel, ...]
    pairs: tuple[ComparedPair, ...]
    bootstrap: Bootstrap
    disputed_total: int
    disputed: tuple[DisputedImage, ...]
    seeds: SeedStudy
    benchmark: BenchmarkSettings
    conclusion: tuple[str, ...]
    environment: Environment

    @property
    def baseline_pairs(self) -> tuple[ComparedPair, ...]:
        """The pairs of the first model with each other one."""
        return tuple(pair for pair in self.pairs if pair.first == self.models[0].name)

    def title(self, name: str) -> str:
        """Return a model's name for people."""
        return next(model.title for model in self.models if model.name == name)

    def write(self, path: Path) -> None:
        """Write the comparison to a JSON file, which is replaced in one step.

        Raises:
            OSError: The file cannot be written; the old one is left as it was.
            ValueError: A number is not finite.
        """
        write_document(self, path)


def read_comparison(path: Path) -> Comparison:
    """Read a comparison and check it against the schema.

    Args:
        path: A file that :meth:`Comparison.write` wrote.

    Returns:
        The comparison.

    Raises:
        OutputError: The file is missing, not JSON, of another schema version, or a key in it is
            missing, unknown or of the wrong type.
    """
    return read_document(
        Comparison,
        path,
        version=COMPARISON_VERSION,
        noun="comparison",
        remedy="make it with `python scripts/compare.py`",
    )
