import numpy as np

from mnist_lightning.comparison.disputed import MAX_DISPUTED, find_disputed


def sure(digits: list[int], confidences: list[float]) -> np.ndarray:
    probabilities = np.repeat((1 - np.array(confidences))[:, None] / 9, 10, axis=1)
    probabilities[np.arange(len(digits)), digits] = confidences
    return probabilities.astype(np.float32)


def test_images_that_split_the_models_are_listed_with_the_surest_error_first() -> None:
    labels = np.array([1, 2, 3, 4, 5])
    # Both right, only the second, only the first, neither, only the second.
    first = sure([1, 7, 3, 0, 8], [0.9, 0.6, 0.7, 0.9, 0.8])
    second = sure([1, 2, 9, 0, 5], [0.9, 0.99, 0.95, 0.9, 0.5])
    total, found = find_disputed([first, second], labels)
    assert total == 3
    assert [image.index for image in found] == [2, 4, 1]
    assert [answer.predicted for answer in found[0].answers] == [3, 9]
    assert found[0].answers[1].confidence == np.float32(0.95)
    assert found[0].label == 3


def test_with_more_models_one_dissenter_is_enough() -> None:
    labels = np.array([1, 1])
    right, wrong = sure([1, 1], [0.9, 0.9]), sure([1, 0], [0.9, 0.9])
    assert find_disputed([right, right, wrong], labels)[0] == 1
    assert find_disputed([right, right], labels) == (0, ())


def test_long_list_is_cut_and_its_length_kept() -> None:
    labels = np.zeros(200, dtype=np.int64)
    right, wrong = sure([0] * 200, [0.9] * 200), sure([1] * 200, [0.9] * 200)
    total, found = find_disputed([right, wrong], labels)
    assert (total, len(found)) == (200, MAX_DISPUTED)
    # Equally sure ones stay in their order.
    assert [image.index for image in found[:3]] == [0, 1, 2]
