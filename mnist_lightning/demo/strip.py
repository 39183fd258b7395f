"""The example digits below the drawing area."""

import base64
from typing import Any

from mnist_lightning.data.digits import DigitDataset
from mnist_lightning.evaluation.label_errors import LabelError, known_label_errors


def example_strip(dataset: DigitDataset) -> dict[str, Any]:
    """Choose the first test image of each digit and, for the standard MNIST, all label errors.

    Args:
        dataset: The dataset to choose from.

    Returns:
        Ready for JSON: the origin of the images as ``source``, and the ``examples``, each with its
        ``pixels`` (28x28 bytes in base64), ``caption``, ``description`` and ``label_error``.
    """
    labels = dataset.test.labels
    first = [int((labels == digit).nonzero()[0]) for digit in sorted(set(labels.tolist()))]
    examples = [_example(dataset, place, str(int(labels[place]))) for place in first]
    source = f"One of each digit from the test images of {dataset.name}"
    if dataset.is_standard:
        known = known_label_errors().errors
        examples += [_label_error(dataset, error) for error in known]
        source += f", then the {len(known)} whose label most people disagree with."
    else:
        source += (
            ". The known label errors are not shown: they are in the whole MNIST, which was not "
            "found in --data_dir."
        )
    return {"source": source, "examples": examples}


def _label_error(dataset: DigitDataset, error: LabelError) -> dict[str, Any]:
    votes = error.votes
    asked = votes.given + votes.guessed + votes.neither
    verdict = f"{votes.given} of {asked} people agree, {votes.guessed} say {error.guessed}"
    caption = f"labelled {error.given}"
    return _example(dataset, error.index, caption, f", a known label error: {verdict}")


def _example(dataset: DigitDataset, index: int, caption: str, remark: str = "") -> dict[str, Any]:
    pixels = dataset.test.images[index].numpy().tobytes()
    return {
        "pixels": base64.b64encode(pixels).decode("ascii"),
        "caption": caption,
        "description": f"Test image {index}, labelled {int(dataset.test.labels[index])}{remark}",
        "label_error": bool(remark),
    }
