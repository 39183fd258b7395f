"""The logits of a model for a set of images."""

import torch
from torch import Tensor, nn

from mnist_lightning.data.digits import CLASSES, SIDE
from mnist_lightning.errors import UserError


def predict_logits(model: nn.Module, images: Tensor, batch_size: int = 100) -> Tensor:
    """Run a model over images in batches, without gradients.

    Args:
        model: A network in eval mode, eager or exported, uint8 ``(N, 1, 28, 28)`` to float32
            logits ``(N, 10)``.
        images: uint8, ``(N, 1, 28, 28)``, on the model's device.
        batch_size: Images per call, at least 1.

    Returns:
        Logits, float32, ``(N, 10)``, on the CPU, in the order of ``images``.

    Raises:
        UserError: The model's output has another shape or dtype, or is not finite.
        ValueError: The images have another dtype or shape, or the model is in training mode, where
            dropout and batch statistics would change its predictions.
    """
    if images.dtype != torch.uint8 or images.shape[1:] != (1, SIDE, SIDE):
        raise ValueError(
            f"expected uint8 images of shape (N, 1, {SIDE}, {SIDE}), found {images.dtype} of shape "
            f"{tuple(images.shape)}"
        )
    # A frozen TorchScript module has neither the mode nor the attribute.
    if getattr(model, "training", False):
        raise ValueError("the model is in training mode; call model.eval() first")
    logits = torch.empty(len(images), CLASSES)
    with torch.inference_mode():
        for start in range(0, len(images), batch_size):
            batch = images[start : start + batch_size]
            logits[start : start + len(batch)] = _checked(model(batch), len(batch))
    return logits


def _checked(output: Tensor, count: int) -> Tensor:
    if output.shape != (count, CLASSES) or output.dtype != torch.float32:
        raise UserError(
            f"The model returned {output.dtype} of shape {tuple(output.shape)} for {count} images "
            f"instead of float32 logits of shape {(count, CLASSES)}: it is not a digit classifier "
            "of this project. Train and export it again."
        )
    if not bool(output.isfinite().all()):
        raise UserError(
            "The model returned logits that are not finite: its weights are damaged, or its "
            "training diverged. Train it again, with a lower learning rate if it diverged."
        )
    return output
