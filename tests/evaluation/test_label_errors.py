from pathlib import Path

import numpy as np
import pytest

from mnist_lightning.evaluation.label_errors import (
    LabelError,
    Votes,
    known_label_errors,
    without_label_errors,
)

ERRORS = (
    LabelError(1, given=3, guessed=5, votes=Votes(0, 5, 0)),
    LabelError(4, given=6, guessed=1, votes=Votes(2, 0, 3)),
)
LABELS = np.array([0, 3, 2, 3, 6])


def test_the_list_has_fifteen_images_and_its_source() -> None:
    known = known_label_errors()
    assert len(known.errors) == len({error.index for error in known.errors}) == 15
    assert "Northcutt" in known.source
    # The stated rule.
    assert all(error.votes.given < 3 for error in known.errors)
    assert all(sum(vars(error.votes).values()) == 5 for error in known.errors)


@pytest.mark.mnist
def test_listed_labels_are_those_of_the_standard_test_set(mnist_dir: Path) -> None:
    from mnist_lightning.data.sources import load_dataset

    labels = load_dataset(mnist_dir, "mnist", download=False).test.labels
    for error in known_label_errors().errors:
        assert int(labels[error.index]) == error.given


def test_images_are_excluded_and_those_counted_wrong_are_named() -> None:
    found = without_label_errors(np.array([0, 5, 9, 3, 1]), LABELS, ERRORS)
    assert (found.n, found.correct) == (3, 2)
    assert found.accuracy == pytest.approx(2 / 3)
    assert found.interval.low < 2 / 3 < found.interval.high
    first, second = found.counted_wrong
    assert (first.index, first.given, first.predicted, first.agrees_with_people) == (1, 3, 5, True)
    # Nobody voted for the alternative, 1.
    assert not second.agrees_with_people


def test_prediction_as_labelled_is_not_counted_wrong() -> None:
    found = without_label_errors(LABELS, LABELS, ERRORS)
    assert found.counted_wrong == ()
    assert found.accuracy == 1


@pytest.mark.parametrize("labels", [LABELS[:3], np.array([0, 9, 2, 3, 6])])
def test_other_images_are_refused(labels: np.ndarray) -> None:
    with pytest.raises(ValueError, match="is not labelled"):
        without_label_errors(labels, labels, ERRORS)
