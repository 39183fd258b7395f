"""Saliency: the pixels a network's prediction depends on, by captum's integrated gradients.

Sundararajan, Taly and Yan: Axiomatic Attribution for Deep Networks (ICML 2017). The method needs
gradients at the input alone, so it treats every network of the study alike; Grad-CAM would need
to know the layers of each.
"""

import numpy as np
import numpy.typing as npt
from captum.attr import IntegratedGradients
from torch import Tensor, nn

from mnist_lightning.evaluation.inference import predict_logits

STEPS = 64


def saliency(
    network: nn.Module, images: Tensor
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Attribute the prediction for each image to its pixels, relative to a black image.

    Args:
        network: An eager network in eval mode, ``(N, 1, 28, 28)`` pixels, uint8 or float32 from 0
            to 255, to float32 ``(N, 10)``.
        images: uint8, ``(N, 1, 28, 28)``.

    Returns:
        Attributions to the predicted digit's logit, float32 ``(N, 28, 28)``, positive where a
        pixel raises it; and the predicted digits, ``(N,)``.
    """
    predicted = predict_logits(network, images).argmax(dim=1)
    found = IntegratedGradients(network).attribute(
        images.float(), target=predicted, n_steps=STEPS, internal_batch_size=len(images) * 8
    )
    return found[:, 0].detach().numpy().astype(np.float32), predicted.numpy()
