"""What an exported model makes of the test images, as figures."""

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from mnist_lightning.records.predictions import SplitPredictions
from mnist_lightning.records.record import Record
from mnist_lightning.reporting.confusion import plot_confusion
from mnist_lightning.reporting.examples import plot_examples
from mnist_lightning.reporting.style import headline


def plot_tested(
    record: Record, images: npt.NDArray[np.uint8], test: SplitPredictions
) -> dict[str, Figure]:
    """Plot the confusion matrix and the examples.

    Args:
        record: The record of the model.
        images: uint8, ``(N, 28, 28)``, the test images.
        test: Its predictions for them.

    Returns:
        The figures by the last part of their file names.
    """
    dataset = record.dataset
    title = headline(record.model.title, dataset.label, dataset.test)
    return {
        "confusion_matrix": plot_confusion(record.test.confusion_matrix, title=title),
        "examples": plot_examples(images, test.labels, test.probabilities, title=title),
    }
