import numpy as np

from mnist_lightning.comparison.disputed import MAX_DISPUTED, find_disputed


def predict(digits: list[int], confidences: list[float]) -> np.ndarray:
    """Probabilities with these digits on top."""
    probabilities = np.repeat((1 - np.array(confidences))[:, None] / 9, 10, axis=1)
    probabilities[np.arange(len(digits)), digits] = confidences
    return probabilities.astype(np.float32)


def test_disputed_images_are_sorted_by_the_confidence_of_the_error() -> None:
    labels = np.array([1, 2, 3, 4, 5])
    # Correct: both models, the second, the first, neither, the second.
    first = predict([1, 7, 3, 0, 8], [0.9, 0.6, 0.7, 0.9, 0.8])
    second = predict([1, 2, 9, 0, 5], [0.9, 0.99, 0.95, 0.9, 0.5])
    total, found = find_disputed([first, second], labels)
    assert total == 3
    assert [image.index for image in found] == [2, 4, 1]
    assert [answer.predicted for answer in found[0].answers] == [3, 9]
    assert found[0].answers[1].confidence == np.float32(0.95)
    assert found[0].label == 3


def test_one_wrong_model_of_three_is_enough() -> None:
    labels = np.array([1, 1])
    right, wrong = predict([1, 1], [0.9, 0.9]), predict([1, 0], [0.9, 0.9])
    assert find_disputed([right, right, wrong], labels)[0] == 1
    assert find_disputed([right, right], labels) == (0, ())


def test_a_long_list_is_truncated_but_counted() -> None:
    labels = np.zeros(200, dtype=np.int64)
    right, wrong = predict([0] * 200, [0.9] * 200), predict([1] * 200, [0.9] * 200)
    total, found = find_disputed([right, wrong], labels)
    assert (total, len(found)) == (200, MAX_DISPUTED)
    # Ties keep the order of the images.
    assert [image.index for image in found[:3]] == [0, 1, 2]
