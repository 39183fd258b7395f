"""Features of a frozen backbone, computed as fast as the hardware allows."""

import copy
from collections.abc import Iterator
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torchvision.models import ResNet

from mnist_lightning.models.resnet50 import ResNet50

Precision = Literal["32-true", "bf16-mixed"]
"""How the backbone computes, in the words of Lightning's Trainer."""


def extraction_precision(trainer_precision: str) -> Precision:
    """Choose the arithmetic of a frozen backbone that goes with a Trainer's.

    Args:
        trainer_precision: In Lightning's words, e.g. ``bf16-mixed``, ``16-mixed``, ``32-true``.

    Returns:
        bfloat16 where the Trainer computes in it, else float32: float16, which overflows at
        65,504, is not worth the risk for something that is computed once.
    """
    return "bf16-mixed" if trainer_precision.startswith("bf16") else "32-true"


def default_batch_size(image_size: int, device: torch.device) -> int:
    """Choose how many images go through the backbone at once.

    On two processor cores the rate hardly grew any more below 2**20 pixels, with which the whole
    process stays under 1.5 GB at every image size. A GPU wants more work at once and has the
    memory for it.

    Args:
        image_size: Side in pixels to which the network enlarges the digits.
        device: Where the network is.

    Returns:
        At least 1; 256 for 64 pixels on a CPU.
    """
    pixels = 2**20 if device.type == "cpu" else 2**24
    return max(1, pixels // image_size**2)


class FeatureExtractor:
    """Runs a frozen backbone.

    The network itself is left as it is: a copy is put into eval mode, its BatchNorms are folded
    into the convolutions, which is exact up to rounding, and its weights are laid out
    channels-last. In ``32-true`` the features equal ``network.eval().features(images)`` up to
    rounding; bfloat16 keeps 8 bits, so that ``bf16-mixed`` differs from it by about one percent.
    Folding the three equal input channels into one was no faster
    (``benchmarks/backbone_inference.py``), so that is left out.

    Args:
        network: Its device is where the work will be done.
        precision: ``bf16-mixed`` pays on hardware with bfloat16 arithmetic.
        batch_size: Images at once; None for ``default_batch_size``.

    Raises:
        ValueError: ``precision`` is unknown.
    """

    def __init__(
        self, network: ResNet50, precision: Precision, batch_size: int | None = None
    ) -> None:
        if precision not in get_args(Precision):
            raise ValueError(f"precision must be one of {get_args(Precision)}, not {precision!r}")
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
            float32, ``(batch_size, 2048)`` on the CPU, fewer rows in the last batch.
        """
        device = self.network.mean.device
        use_bf16 = self._precision == "bf16-mixed"
        for start in range(0, len(images), self.batch_size):
            batch = images[start : start + self.batch_size].to(device)
            with (
                torch.inference_mode(),
                torch.autocast(device.type, torch.bfloat16, enabled=use_bf16),
            ):
                features = self.network.features(batch)
            yield features.cpu()


def fold_batchnorm(backbone: ResNet) -> None:
    """Fold every BatchNorm of a ResNet in eval mode into the convolution before it, in place.

    Args:
        backbone: torchvision's ResNet, of which a convolution ``convI`` feeds ``bnI`` and
            ``downsample[0]`` feeds ``downsample[1]``. Equal to what it was up to rounding.
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
