"""Feature extraction with a frozen backbone, optimised for inference."""

import copy
from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torchvision.models import ResNet

from mnist_lightning.models.resnet50 import ResNet50

Precision = Literal["32-true", "bf16-mixed"]
"""Arithmetic of the backbone, named as Lightning's Trainer names it."""


def extraction_precision(trainer_precision: str) -> Precision:
    """Choose the precision of a frozen backbone that goes with the Trainer's.

    Args:
        trainer_precision: The Trainer's, e.g. ``bf16-mixed``, ``16-mixed``, ``32-true``.

    Returns:
        ``bf16-mixed`` where the Trainer uses bfloat16, else ``32-true``: float16 overflows at
        65,504, a risk that is not worth taking for features that are computed once.
    """
    return "bf16-mixed" if trainer_precision.startswith("bf16") else "32-true"


def default_batch_size(image_size: int, device: torch.device) -> int:
    """Choose the number of images per forward pass of the backbone.

    A batch has 2**20 pixels on a CPU: on two cores larger batches were hardly faster, and the
    process stays below 1.5 GB at every image size. A GPU needs larger batches and has the memory.

    Args:
        image_size: Side in pixels to which the network enlarges the digits.
        device: The network's device.

    Returns:
        At least 1; 256 for 64 pixels on a CPU.
    """
    pixels = 2**20 if device.type == "cpu" else 2**24
    return max(1, pixels // image_size**2)


class FeatureExtractor:
    """Runs a copy of a network's backbone that is optimised for inference.

    The copy is in eval mode, its BatchNorms are folded into the convolutions and its weights are
    laid out channels-last. In ``32-true`` the features equal ``network.eval().features(images)`` up
    to rounding; in ``bf16-mixed``, with 8 significant bits, they differ by about one percent.
    Merging the three equal input channels was no faster (``benchmarks/backbone_inference.py``).

    Args:
        network: The network to copy; the copy stays on its device.
        precision: ``bf16-mixed`` is faster on hardware with bfloat16 arithmetic.
        batch_size: Images per forward pass; None for ``default_batch_size``.
    """

    def __init__(
        self, network: ResNet50, precision: Precision, batch_size: int | None = None
    ) -> None:
        self._precision = precision
        device = network.mean.device
        self.batch_size = batch_size or default_batch_size(network.image_size, device)
        self.network = copy.deepcopy(network).eval()
        fold_batchnorm(self.network.backbone)
        self.network.to(memory_format=torch.channels_last)

    def __call__(self, images: Tensor) -> Iterator[Tensor]:
        """Compute features batch by batch.

        Args:
            images: uint8, ``(N, 1, 28, 28)``, 0 to 255, on any device.

        Yields:
            float32, ``(batch_size, num_features)``, on the CPU; the last batch may have fewer rows.
        """
        device = self.network.mean.device
        autocast = torch.autocast(
            device.type, torch.bfloat16, enabled=self._precision == "bf16-mixed"
        )
        for start in range(0, len(images), self.batch_size):
            batch = images[start : start + self.batch_size].to(device)
            with torch.inference_mode(), autocast:
                features = self.network.features(batch)
            yield features.cpu()


def fold_batchnorm(backbone: ResNet) -> None:
    """Fold every BatchNorm of a ResNet in eval mode into the convolution before it, in place.

    Args:
        backbone: torchvision's ResNet, in which a convolution ``convI`` feeds ``bnI`` and
            ``downsample[0]`` feeds ``downsample[1]``. Its output stays the same up to rounding.
    """
    for module in list(backbone.modules()):
        children = dict(module.named_children())
        for name, convolution in children.items():
            norm = name.replace("conv", "bn")
            if isinstance(convolution, nn.Conv2d) and name != norm:
                setattr(module, name, fuse_conv_bn_eval(convolution, children[norm]))
                setattr(module, norm, nn.Identity())
        if isinstance(children.get("downsample"), nn.Sequential):
            module.downsample = nn.Sequential(fuse_conv_bn_eval(*children["downsample"]))
