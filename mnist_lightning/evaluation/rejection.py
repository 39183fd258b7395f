"""Selective classification: the confidence below which a model gives no answer."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mnist_lightning.evaluation.calibration import Labels, Probabilities, fit_temperature, scale


@dataclass(frozen=True)
class Rejection:
    """A rule for giving no answer, fitted on validation images alone.

    Attributes:
        temperature: Divisor of the exported file's logits that calibrates the confidence, 0.05 to
            20; 1 if the file is calibrated.
        threshold: An image is answered if its calibrated confidence, the largest probability, is
            at least this; 0 to 1.
        error_rate: The requested largest share of errors among answered images, 0 to 1.
        coverage: Share of the validation images that are answered, 0 to 1.
        errors: Number of errors among the answered validation images.
        answered: Number of answered validation images.
    """

    temperature: float
    threshold: float
    error_rate: float
    coverage: float
    errors: int
    answered: int

    def accepts(self, probabilities: Probabilities) -> npt.NDArray[np.bool_]:
        """Return which images are answered.

        Args:
            probabilities: Floats, ``(N, 10)``, rows sum to 1, as the model gives them: not yet
                divided by the temperature.

        Returns:
            bool, ``(N,)``.
        """
        confidence = scale(probabilities, self.temperature).max(axis=1)
        accepted: npt.NDArray[np.bool_] = confidence >= self.threshold
        return accepted


def fit_rejection(
    probabilities: Probabilities, labels: Labels, error_rate: float, *, calibrated: bool
) -> Rejection:
    """Choose the lowest threshold that satisfies an error rate, and a temperature if one is needed.

    The rate is the one *observed* on these images. It can be expected on images like them, but not
    on photographs (selective classification, El-Yaniv and Wiener, JMLR 2010).

    Args:
        probabilities: Floats, ``(M, 10)``, rows sum to 1, of images that were not trained on;
            ``M`` is at least 1.
        labels: int64, ``(M,)``, each 0 to 9.
        error_rate: Largest share of errors among the answered images, 0 to 1.
        calibrated: Whether the probabilities are calibrated; otherwise a temperature is fitted.

    Returns:
        The rule. It answers nothing if the most confident prediction is already an error.
    """
    temperature = 1.0 if calibrated else fit_temperature(probabilities, labels)
    scaled = scale(probabilities, temperature)
    confidence = scaled.max(axis=1)
    order = np.argsort(-confidence, kind="stable")
    errors = np.cumsum((scaled.argmax(axis=1) != labels)[order])
    counts = np.arange(1, len(labels) + 1)
    # A threshold cannot separate images of equal confidence: only the last may end the list.
    falling = np.append(np.diff(confidence[order]) < 0, True)
    allowed = np.flatnonzero(falling & (errors <= error_rate * counts))
    if len(allowed) == 0:
        above_all = float(np.nextafter(1.0, 2.0))
        return Rejection(temperature, above_all, error_rate, 0.0, 0, 0)
    last = int(allowed[-1])
    return Rejection(
        temperature=temperature,
        threshold=float(confidence[order[last]]),
        error_rate=error_rate,
        coverage=(last + 1) / len(labels),
        errors=int(errors[last]),
        answered=last + 1,
    )
