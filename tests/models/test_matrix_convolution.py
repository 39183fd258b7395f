"""Convolutions as matrix products against torch's own."""

from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import resnet18

from mnist_lightning.models.matrix_convolution import MatrixConvolution, train_as_products


def _pair(kernel: int, stride: int) -> tuple[nn.Conv2d, MatrixConvolution]:
    torch.manual_seed(0)
    plain = nn.Conv2d(8, 12, kernel, stride, kernel // 2, bias=False)
    return plain, MatrixConvolution.of(deepcopy(plain))


def _gradients(convolution: nn.Conv2d, maps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    maps = maps.clone().requires_grad_()
    out = convolution(maps)
    (out * torch.linspace(-1, 1, out.numel()).view(out.shape)).sum().backward()
    assert maps.grad is not None
    assert convolution.weight.grad is not None
    return out.detach(), maps.grad, convolution.weight.grad


@pytest.mark.parametrize("side", [1, 2, 3, 4, 5, 9])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [1, 3])
def test_outputs_and_gradients_are_those_of_a_convolution(
    kernel: int, stride: int, side: int
) -> None:
    plain, products = _pair(kernel, stride)
    maps = torch.randn(3, 8, side, side + 1).to(memory_format=torch.channels_last)
    for expected, found in zip(_gradients(plain, maps), _gradients(products, maps), strict=True):
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("kernel", "side", "is_product"), [(1, 4, True), (1, 5, False), (3, 4, True), (3, 5, False)]
)
def test_only_small_maps_are_products_and_only_in_training(
    kernel: int, side: int, is_product: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, convolution = _pair(kernel, 1)
    used = []
    original = MatrixConvolution._conv_forward
    monkeypatch.setattr(
        MatrixConvolution,
        "_conv_forward",
        lambda self, *arguments: used.append(self) or original(self, *arguments),
    )
    maps = torch.randn(2, 8, side, side)
    convolution(maps)
    assert bool(used) is not is_product
    used.clear()
    convolution.eval()(maps)
    assert used


def test_networks_keep_their_weights_keys_and_outputs() -> None:
    torch.manual_seed(0)
    network = resnet18()
    expected = deepcopy(network)
    drawn = torch.get_rng_state()
    train_as_products(network)
    assert torch.equal(torch.get_rng_state(), drawn)  # later layers start as without the products
    replaced = [m for m in network.modules() if isinstance(m, MatrixConvolution)]
    assert len(replaced) == 19  # all of its twenty convolutions but the first, of 7x7
    state = expected.state_dict()
    assert list(network.state_dict()) == list(state)
    assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())
    images = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        assert torch.equal(network.eval()(images), expected.eval()(images))
    scripted = torch.jit.script(network)
    with torch.inference_mode():
        torch.testing.assert_close(scripted(images), expected(images))
