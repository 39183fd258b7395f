"""TorchScript in bfloat16: for large batches on processors that multiply such numbers themselves.

bfloat16 has three significant digits. An image whose two largest logits are close is therefore
computed again in float32, so that its prediction does not depend on rounding.
"""

from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from mnist_lightning.errors import UserError
from mnist_lightning.export.metadata import Metadata
from mnist_lightning.export.torchscript import write_torchscript
from mnist_lightning.export.tracing import plain_copy
from mnist_lightning.models.cnn import CNN

#: Two logits that differ by less are close: ten times as much as the rounding of bfloat16 moves the
#: difference of two logits of the CNN.
CLOSE = 1.0
PRECISION = "bfloat16; float32 for images whose two largest logits are close"


def contains_cnn(network: nn.Module) -> bool:
    """Return whether a network is a CNN of the study or an ensemble of such."""
    return any(isinstance(module, CNN) for module in network.modules())


def require_cnn(network: nn.Module) -> None:
    """Check that a network can be written in bfloat16.

    Raises:
        UserError: It contains no CNN.
    """
    if not contains_cnn(network):
        raise UserError("--formats bfloat16: only the CNN and its ensembles have such a file")


def export_bfloat16(network: nn.Module, path: Path, metadata: Metadata) -> None:
    """Write a network as TorchScript whose convolutions are computed in bfloat16.

    Args:
        network: uint8 ``(N, 1, 28, 28)`` to float32 ``(N, 10)``, a CNN or an ensemble of such.
        path: Where to write it; an older file is replaced in one step.
        metadata: The file's description of itself.

    Raises:
        UserError: The network contains no CNN.
        OSError: The file cannot be written; an older one stays unchanged.
    """
    require_cnn(network)
    exact = plain_copy(network)
    both = CloseInFloat32(_in_bfloat16(exact), exact)
    write_torchscript(both, path, replace(metadata, precision=PRECISION))


class CloseInFloat32(nn.Module):
    """A fast network, with an exact one for the images about which the fast one is undecided.

    Args:
        fast: uint8 ``(N, 1, 28, 28)`` to float32 ``(N, 10)``.
        exact: The same in float32.
    """

    def __init__(self, fast: nn.Module, exact: nn.Module) -> None:
        super().__init__()
        self.fast, self.exact = fast, exact
        # An attribute, because TorchScript cannot read the globals of a module in forward().
        self.close = CLOSE

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of a batch of digits."""
        logits: Tensor = self.fast(images)
        best = logits.topk(2, dim=1).values
        undecided = (best[:, 0] - best[:, 1] < self.close).nonzero().flatten()
        if undecided.numel() > 0:
            again = self.exact(images.index_select(0, undecided))
            logits = logits.index_copy(0, undecided, again)
        return logits


class Bfloat16CNN(nn.Module):
    """A CNN whose convolutions are computed in bfloat16, in evaluation mode.

    Args:
        network: The CNN, in float32.
    """

    def __init__(self, network: CNN) -> None:
        super().__init__()
        self.mean, self.std = network.mean, network.std
        self.contrast, self.head = network.contrast, network.head
        features = nn.Sequential(*_folded(network.features)).to(torch.bfloat16)
        self.features = features.to(memory_format=torch.channels_last)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of a batch of digits."""
        x = (self.contrast(images) - self.mean) / self.std
        x = self.features(x.to(torch.bfloat16)).amax(dim=(2, 3))
        logits: Tensor = self.head(x.float())
        return logits


def _folded(features: nn.Sequential) -> list[nn.Module]:
    """Fold batch normalisation into the convolutions before their weights are rounded."""
    layers: list[nn.Module] = []
    for layer in deepcopy(features):
        if isinstance(layer, nn.BatchNorm2d):
            convolution = layers[-1]
            assert isinstance(convolution, nn.Conv2d)
            layers[-1] = fuse_conv_bn_eval(convolution, layer)
        elif isinstance(layer, nn.MaxPool2d):
            # Before the ReLU, which does not change the result and leaves it a quarter to do.
            layers.insert(len(layers) - 1, layer)
        else:
            layers.append(layer)
    return layers


def _in_bfloat16(network: nn.Module) -> nn.Module:
    """Copy a network with each CNN in it replaced by its twin."""
    if isinstance(network, CNN):
        return Bfloat16CNN(network)
    copy = deepcopy(network)
    for name, child in network.named_children():
        setattr(copy, name, _in_bfloat16(child))
    return copy
