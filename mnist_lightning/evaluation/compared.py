"""The parts of a comparison: its images, its models, its pairs."""

from dataclasses import dataclass

from mnist_lightning.evaluation.benchmark import LatencyPoint
from mnist_lightning.evaluation.calibration import Calibration
from mnist_lightning.evaluation.cost import Cost
from mnist_lightning.evaluation.label_errors import WithoutLabelErrors
from mnist_lightning.evaluation.metrics import DetailedMetrics, Interval
from mnist_lightning.evaluation.paired import Agreement
from mnist_lightning.evaluation.schema import FileDescription, Training, dataset_label


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
