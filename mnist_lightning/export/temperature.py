"""Temperature scaling as a part of the network: softmax of what is exported is calibrated.

Guo et al.: On Calibration of Modern Neural Networks (ICML 2017). All logits of an image are divided
by the same positive number, which changes no prediction.
"""

from torch import nn

from mnist_lightning.data.digits import Digits
from mnist_lightning.evaluation.calibration import fit_temperature
from mnist_lightning.evaluation.inference import predict_logits
from mnist_lightning.export.tracing import plain_copy
from mnist_lightning.models import Ensemble


def calibrated_copy(network: nn.Module, validation: Digits) -> tuple[nn.Module, float]:
    """Fit a temperature on validation images, and fold it into a copy of a network.

    Args:
        network: uint8 ``(N, 1, 28, 28)`` to float32 ``(N, 10)``, trained.
        validation: Images that it was not trained on.

    Returns:
        The copy, on the CPU, in float32 and evaluation mode; and the temperature, 0.05 to 20.

    Raises:
        UserError: The network's logits are not finite.
    """
    logits = predict_logits(plain_copy(network), validation.images)
    probabilities = logits.softmax(dim=1).numpy()
    temperature = fit_temperature(probabilities, validation.labels.numpy())
    return fold(network, temperature), temperature


def fold(network: nn.Module, temperature: float) -> nn.Module:
    """Return a copy of a network whose logits are divided by a temperature.

    Args:
        network: An :class:`Ensemble`, or a network whose last layer is called ``head``.
        temperature: Above 0.

    Returns:
        The copy, on the CPU, in float32 and evaluation mode, with as many layers as the network.
    """
    copy = plain_copy(network)
    if isinstance(copy, Ensemble):
        # Not the heads of its members: their probabilities are averaged, so that another sharpness
        # would change predictions.
        copy.temperature.mul_(temperature)
        return copy
    for parameter in copy.get_submodule("head").parameters():
        parameter.div_(temperature)
    return copy
