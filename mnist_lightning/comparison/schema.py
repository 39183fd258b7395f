"""The dataclasses of a comparison, which ``model_comparison.json`` contains."""

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
from mnist_lightning.files.limits import Argument, Change, Count, Digit, Name, Sha256, Share
from mnist_lightning.records.environment import Environment
from mnist_lightning.records.record import Training, dataset_label


@dataclass(frozen=True)
class ComparedDataset:
    """The dataset of the test images.

    Attributes:
        name: Name of the dataset, e.g. ``MNIST``.
        fingerprint: SHA-256 over all its pixels and labels; the same in every model's record.
        is_standard: Whether it is the standard MNIST, to which the known label errors apply.
        test: Number of test images.
    """

    name: str
    fingerprint: Sha256
    is_standard: bool
    test: Count

    @property
    def label(self) -> str:
        """Its label in titles."""
        return dataset_label(self.name, self.fingerprint)


@dataclass(frozen=True)
class Verification:
    """How the recorded predictions agree with the exported file, checked before comparing.

    Attributes:
        n: Number of test images, evenly spaced, that were predicted again.
        max_abs_difference: Largest absolute difference between two probabilities.
    """

    n: Count
    max_abs_difference: Share


@dataclass(frozen=True)
class ComparedModel:
    """One of the compared models.

    Attributes:
        name: Prefix of its files, e.g. ``custom_cnn``.
        preset: The argument of ``--model`` that trains it again.
        title: Display title; it mentions random weights where pretrained ones are usual.
        weights: The initial weights of its training.
        record: The file of its record.
        model: The exported file.
        verification: Agreement of the exported file with the recorded predictions.
        training: How it was trained.
        trained_on: The processor or GPU that it was trained on.
        test: Metrics of the exported model on the test images.
        without_label_errors: The same without the images whose labels are known to be wrong; null
            if the dataset is not the standard MNIST.
        calibration: How well its confidence matches its accuracy.
        cost: Size, arithmetic and memory.
        latency: Latency on the CPU, by thread count and then batch size.
    """

    name: Name
    preset: Name
    title: str
    weights: Argument
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
        """Whether it averages several trainings."""
        return self.training.seed is None

    def point(self, threads: int, batch_size: int) -> LatencyPoint:
        """Return the latency for a thread count and batch size that were measured."""
        wanted = threads, batch_size
        return next(one for one in self.latency if (one.threads, one.batch_size) == wanted)


@dataclass(frozen=True)
class ComparedPair:
    """The comparison of two models.

    Attributes:
        first: Name of the first model.
        second: Name of the second model.
        agreement: Numbers of images that both, only one or none gets right.
        difference: Accuracy of the second minus that of the first, -1 to 1.
        interval: Confidence interval of ``difference`` from the paired bootstrap; null if there are
            no discordant images.
        mcnemar_p: Two-sided p value of McNemar's exact test.
        adjusted_p: The same, adjusted by Holm's method for the number of pairs.
        kappa: Cohen's kappa of the two models' predictions; null if both predict the same digit for
            every image.
    """

    first: Name
    second: Name
    agreement: Agreement
    difference: Change
    interval: Interval | None
    mcnemar_p: Share
    adjusted_p: Share
    kappa: float | None


@dataclass(frozen=True)
class ModelPrediction:
    """The prediction of one model for one image.

    Attributes:
        predicted: The most probable digit, 0 to 9.
        confidence: Its calibrated probability, 0 to 1.
    """

    predicted: Digit
    confidence: Share


@dataclass(frozen=True)
class DisputedImage:
    """A test image that some models classify correctly and others do not.

    Attributes:
        index: Its position among the test images.
        label: Its label, 0 to 9.
        answers: The prediction of each model, in the models' order.
    """

    index: Count
    label: Digit
    answers: tuple[ModelPrediction, ...]


@dataclass(frozen=True)
class Bootstrap:
    """Settings of the bootstrap.

    Attributes:
        resamples: Number of bootstrap samples.
        seed: Seed of the samples.
    """

    resamples: int
    seed: int


COMPARISON_VERSION = 3
FILE_NAME = "model_comparison.json"


@dataclass(frozen=True)
class Comparison:
    """The content of ``model_comparison.json``.

    Attributes:
        schema_version: Version of this schema.
        dataset: The dataset of the test images.
        models: At least two models, the baseline first.
        pairs: All pairs of models, in the models' order.
        bootstrap: Settings of the bootstrap.
        disputed_total: Number of images that some models classify correctly and others do not.
        disputed: At most sixty of these, sorted by the highest confidence of a wrong prediction.
        seeds: Results over several seeds of the same recipes.
        benchmark: Settings of the latency benchmark.
        conclusion: What the comparison shows and what it does not, one string per paragraph.
        environment: The machine, the versions and the time of the comparison.
    """

    schema_version: int
    dataset: ComparedDataset
    models: tuple[ComparedModel, ...]
    pairs: tuple[ComparedPair, ...]
    bootstrap: Bootstrap
    disputed_total: Count
    disputed: tuple[DisputedImage, ...]
    seeds: SeedStudy
    benchmark: BenchmarkSettings
    conclusion: tuple[str, ...]
    environment: Environment

    @property
    def baseline_pairs(self) -> tuple[ComparedPair, ...]:
        """The pairs that contain the baseline."""
        return tuple(pair for pair in self.pairs if pair.first == self.models[0].name)

    def title(self, name: str) -> str:
        """Return the display title of a model."""
        return next(model.title for model in self.models if model.name == name)

    def write(self, path: Path) -> None:
        """Write the comparison to a JSON file atomically.

        Raises:
            OSError: The file cannot be written; an existing one stays unchanged.
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
        OutputError: The file is missing, not JSON or of another schema version, or one of its keys
            is missing, unknown or of the wrong type.
    """
    return read_document(
        Comparison,
        path,
        version=COMPARISON_VERSION,
        noun="comparison",
        remedy="make it with `python scripts/compare.py`",
    )
