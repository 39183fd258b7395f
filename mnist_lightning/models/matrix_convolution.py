"""Convolutions over small maps, trained as matrix products."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class MatrixConvolution(nn.Conv2d):
    """A 1x1 or 3x3 convolution that a CPU trains as one matrix product where its output is small.

    The convolutions of PyTorch on a CPU, oneDNN's, are slow for maps of a few pixels and many
    channels, above all their gradients. ResNet50's last stage has such maps when images are small:
    2x2 pixels and up to 2,048 channels for 64 pixels. `benchmarks.small_maps` measures the
    difference. In evaluation mode, and so in every exported file, it is the convolution that it
    replaces.

    Shape:
        - Input: float ``(N, in_channels, H, W)``.
        - Output: float ``(N, out_channels, ceil(H / stride), ceil(W / stride))``.
    """

    @classmethod
    def of(cls, convolution: nn.Conv2d) -> "MatrixConvolution":
        """Return one with the weights of a 1x1 or 3x3 convolution without a bias."""
        channels = convolution.in_channels, convolution.out_channels
        size, stride = convolution.kernel_size[0], convolution.stride[0]
        # On a device without memory: drawing initial weights would change those of later layers.
        made = cls(*channels, size, stride, size // 2, bias=False, device="meta")
        made.weight = convolution.weight
        return made

    def forward(self, input: Tensor) -> Tensor:
        """Convolve feature maps."""
        if self.training and input.device.type == "cpu":
            step = self.stride[0]
            height, width = -(-input.shape[2] // step), -(-input.shape[3] // step)
            # Measured: from 8x8 pixels on, oneDNN is about as fast for 1x1 kernels, faster for 3x3.
            if height * width <= 16:
                patches = self._patches(input, height, width)
                product: Tensor = F.linear(patches, self.weight.permute(0, 2, 3, 1).flatten(1))
                return product.permute(0, 3, 1, 2)
        maps: Tensor = self._conv_forward(input, self.weight, self.bias)
        return maps

    def _patches(self, maps: Tensor, height: int, width: int) -> Tensor:
        """Return what the kernel sees, ``(N, height, width, kernel * kernel * channels)``."""
        pixels, step, size = maps.permute(0, 2, 3, 1), self.stride[0], self.kernel_size[0]
        if size == 3:
            pixels = F.pad(pixels, [0, 0, 1, 1, 1, 1])
        # Slices instead of Tensor.unfold, whose gradient takes three times as long.
        rows, columns = step * (height - 1) + 1, step * (width - 1) + 1
        corners = [(k // size, k % size) for k in range(size * size)]
        seen = [pixels[:, y : y + rows : step, x : x + columns : step] for y, x in corners]
        return torch.cat(seen, dim=3)


def train_as_products(network: nn.Module) -> None:
    """Replace the 1x1 and 3x3 convolutions of a network, in place; its weights and keys stay.

    Args:
        network: A network whose convolutions have no groups, dilation or bias, as ResNet50.
    """
    for name, module in list(network.named_modules()):
        if isinstance(module, nn.Conv2d) and module.kernel_size in ((1, 1), (3, 3)):
            network.set_submodule(name, MatrixConvolution.of(module))
