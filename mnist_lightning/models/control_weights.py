"""Backbones that share the scale of pretrained weights but none of their features."""

import torch
from torch import Generator, Tensor, nn

from mnist_lightning.models.resnet50 import ResNet50

CALIBRATION_IMAGES = 1000
"""Images from which the statistics of batch normalisation are estimated, without their labels."""

_BATCH = 250


@torch.no_grad()
def redraw(network: ResNet50, seed: int) -> None:
    """Replace each weight by a normal number with the mean and deviation of its tensor, in place.

    The "mean var" control of Raghu et al., Transfusion: Understanding Transfer Learning for Medical
    Imaging (NeurIPS 2019): it keeps the scale of each layer and destroys all features. The
    statistics of batch normalisation belong to the old features: call :func:`estimate_statistics`.

    Args:
        network: The network with pretrained weights; its head stays as it is.
        seed: Seed of the numbers.
    """
    generator = Generator().manual_seed(seed)
    for weight in network.backbone.parameters():
        noise = torch.randn(weight.shape, generator=generator)
        weight.copy_(noise * weight.std() + weight.mean())


@torch.no_grad()
def estimate_statistics(network: ResNet50, images: Tensor) -> None:
    """Set the running statistics of batch normalisation to those of some images, in place.

    Without it, the activations of random weights grow from layer to layer.

    Args:
        network: The network, on any device; it is left in evaluation mode.
        images: uint8, ``(N, 1, 28, 28)``.
    """
    norms = [one for one in network.backbone.modules() if isinstance(one, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain average over all batches
    network.train()
    for batch in torch.split(images, _BATCH):
        network.features(batch.to(network.mean.device))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    network.eval()
