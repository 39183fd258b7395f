"""Which pixels a network's answer rests on: integrated gradients, by captum.

Sundararajan, Taly and Yan: Axiomatic Attribution for Deep Networks (ICML 2017). It needs nothing
but gradients at the input, which exported TorchScript files give; Grad-CAM would need the layers
that freezing has removed.
"""

import numpy as np
import numpy.typing as npt
from captum.attr import IntegratedGradients
from torch import Tensor, nn

from mnist_lightning.evaluation.inference import predict_logits

STEPS = 64
# A digit given as floats must be the same digit to the network.
TOLERANCE = 1e-3


def saliency(
    network: nn.Module, images: Tensor
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]] | None:
    """Attribute each image's answer to its pixels, against a black image.

    Args:
        network: uint8 or float ``(N, 1, 28, 28)`` to float32 ``(N, 10)``, in eval mode.
        images: uint8, ``(N, 1, 28, 28)``.

    Returns:
        Attributions to the predicted digit's logit, float32 ``(N, 28, 28)``, positive where a
        pixel speaks for it; and the predicted digits, ``(N,)``. None where the network takes no
        floating-point pixels or reads them otherwise, or gives no gradients.
    """
    answers = predict_logits(network, images)
    predicted = answers.argmax(dim=1)
    pixels = images.float()
    try:
        same = (predict_logits(network, pixels) - answers).abs().max().item() < TOLERANCE
        if not same:
            return None
        found = IntegratedGradients(network).attribute(
            pixels, target=predicted, n_steps=STEPS, internal_batch_size=len(images) * 8
        )
    except RuntimeError:
        return None
    return found[:, 0].detach().numpy().astype(np.float32), predicted.numpy()
