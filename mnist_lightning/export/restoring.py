"""A network from its frozen TorchScript file, for those who have no checkpoint.

Freezing folds batch normalisation into the convolutions and turns all weights into constants of
the graph: the file has no state dict. The constants are still there, in the order of the layers.
"""

import torch
from torch import Tensor, nn

from mnist_lightning.errors import OutputError

LAYERS = ("aten::conv2d", "aten::linear")
_Layer = tuple[Tensor, Tensor]


def restore_network(network: nn.Module, frozen: torch.jit.ScriptModule) -> nn.Module:
    """Fill a network with the weights of a frozen TorchScript module of it.

    A folded batch normalisation cannot be unfolded and need not be: it becomes one that only adds
    the folded bias.

    Args:
        network: The network that was frozen, with any weights; its layers are registered in the
            order in which they run, as those of this study are. It is changed.
        frozen: What ``torch.jit.freeze`` made of it.

    Returns:
        The network, in evaluation mode.

    Raises:
        OutputError: The weights do not fit the network.
    """
    weights = _frozen_layers(frozen)
    layers = [one for one in network.modules() if isinstance(one, nn.Conv2d | nn.Linear)]
    norms = [one for one in network.modules() if isinstance(one, nn.BatchNorm2d)]
    bare = [layer for layer in layers if layer.bias is None]
    if len(weights) != len(layers) or len(norms) != len(bare):
        raise OutputError(
            f"the exported file has {len(weights)} layers and the network of its record "
            f"{len(layers)}: give a checkpoint with --ckpt_path"
        )
    following = iter(norms)
    with torch.no_grad():
        for layer, (weight, bias) in zip(layers, weights, strict=True):
            if layer.weight.shape != weight.shape:
                raise OutputError(
                    f"the exported file has a layer {tuple(weight.shape)} where the network of "
                    f"its record has {tuple(layer.weight.shape)}: give a checkpoint with "
                    "--ckpt_path"
                )
            layer.weight.copy_(weight)
            if layer.bias is None:
                _only_add(next(following), bias)
            else:
                layer.bias.copy_(bias)
    return network.eval()


def _frozen_layers(frozen: torch.jit.ScriptModule) -> list[_Layer]:
    """The weight and bias of each layer, in the order in which they run."""
    layers: list[_Layer] = []
    for node in frozen.graph.nodes():
        if node.kind() in LAYERS:
            _, weight, bias, *_ = (value.toIValue() for value in node.inputs())
            if isinstance(weight, Tensor) and isinstance(bias, Tensor):
                layers.append((weight, bias))
    return layers


def _only_add(norm: nn.BatchNorm2d, bias: Tensor) -> None:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    norm.running_mean.zero_()
    norm.running_var.fill_(1)
    norm.weight.fill_((1 + norm.eps) ** 0.5)
    norm.bias.copy_(bias)
