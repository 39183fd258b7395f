"""The custom CNN: small, deep and narrow."""

import math
from collections.abc import Sequence

from torch import Tensor, nn

from mnist_lightning.data.digits import CLASSES, SIDE
from mnist_lightning.errors import UserError, check_range
from mnist_lightning.models.contrast import ContrastNormalisation

# Mean and standard deviation of the pixels of MNIST's 60,000 training images, scaled to 0..1.
MEAN, STD = 0.1307, 0.3081

MAX_CONVS = 32
MAX_KERNEL = 2 * SIDE + 1
MAX_WEIGHTS = 100_000_000
"""Larger networks are refused before they take memory; ResNet50 has 23,500,000 weights."""


class CNN(nn.Module):
    """A VGG-like network: stages of 3x3 convolutions with max pooling between them.

    Pairs of narrow layers are more accurate per parameter than fewer wide ones. A global maximum
    over the last feature maps keeps whether a feature occurs in the image and drops its position,
    so no dense layer over positions is needed.

    Args:
        widths: Output channels of each stage; the image is halved between two stages. Multiples of
            16 are about twice as fast on processors with wide vector registers.
        convs_per_stage: Number of convolutions in each stage, each followed by batch normalisation
            and ReLU.
        dropout: Dropout probability before the last layer, 0 to below 1.
        first_kernel: Kernel size of the first convolution, odd; all others are 3x3.
        first_stride: Stride of the first convolution. With 2, all layers work on a quarter of the
            positions, which saves time and costs accuracy.
        contrast_normalisation: Whether the contrast of each image is normalised first.

    Shape:
        - Input: uint8 ``(N, 1, 28, 28)``, 0 is background and 255 is ink.
        - Output: float32 ``(N, 10)``, logits.

    Raises:
        UserError: An argument is out of range; the message names the option.
    """

    def __init__(
        self,
        widths: Sequence[int] = (16, 48, 64),
        convs_per_stage: int = 2,
        dropout: float = 0.0,
        first_kernel: int = 3,
        first_stride: int = 1,
        contrast_normalisation: bool = True,
    ) -> None:
        super().__init__()
        _check(widths, convs_per_stage, dropout, first_kernel, first_stride)
        # Attributes, because TorchScript cannot read the globals of a module in forward().
        self.mean, self.std = MEAN, STD
        self.contrast = ContrastNormalisation(contrast_normalisation)
        self.features = _stages(widths, convs_per_stage, first_kernel, first_stride)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(widths[-1], CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of a batch of digits."""
        x = (self.contrast(images) - self.mean) / self.std  # (N, 1, 28, 28)
        x = self.features(x)  # (N, widths[-1], 7, 7) with three stages and stride 1
        # Not AdaptiveMaxPool2d: a maximum over two axes runs in every export format.
        x = x.amax(dim=(2, 3))  # (N, widths[-1])
        logits: Tensor = self.head(self.dropout(x)).float()
        return logits  # (N, 10)


def _stages(
    widths: Sequence[int], convs_per_stage: int, first_kernel: int, first_stride: int
) -> nn.Sequential:
    layers: list[nn.Module] = []
    channels = 1
    for stage, width in enumerate(widths):
        if stage > 0:
            layers.append(nn.MaxPool2d(2))
        for _ in range(convs_per_stage):
            kernel, stride = (3, 1) if layers else (first_kernel, first_stride)
            layers += [
                nn.Conv2d(channels, width, kernel, stride, padding=kernel // 2, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
            ]
            channels = width
    return nn.Sequential(*layers)


def _check(
    widths: Sequence[int],
    convs_per_stage: int,
    dropout: float,
    first_kernel: int,
    first_stride: int,
) -> None:
    if not 1 <= first_kernel <= MAX_KERNEL or first_kernel % 2 == 0:
        raise UserError(
            f"--model.first_kernel must be odd, from 1 to {MAX_KERNEL}, not {first_kernel}"
        )
    check_range("--model.first_stride", first_stride, 1, SIDE)
    # 28 pixels can be halved four times before nothing is left, fewer times after a stride.
    most = math.ceil(SIDE / first_stride).bit_length()
    if not 1 <= len(widths) <= most or min(widths) < 1:
        numbers = "1 positive number" if most == 1 else f"1 to {most} positive numbers"
        raise UserError(f"--model.widths must be {numbers}, not {list(widths)}")
    check_range("--model.convs_per_stage", convs_per_stage, 1, MAX_CONVS)
    check_range("--model.dropout", dropout, 0, 1, below=True)
    pairs = zip((1, *widths), widths, strict=False)
    weights = sum(9 * (before + (convs_per_stage - 1) * width) * width for before, width in pairs)
    if weights > MAX_WEIGHTS:
        raise UserError(
            f"--model.widths {list(widths)} with {convs_per_stage} convolutions per stage have "
            f"{weights:,} weights, more than {MAX_WEIGHTS:,}"
        )
