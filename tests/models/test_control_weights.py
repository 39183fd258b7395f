"""Backbones with the scale of others, and statistics estimated from images."""

import pytest
import torch
from torch import nn

from mnist_lightning.models.control_weights import estimate_statistics, redraw
from mnist_lightning.models.resnet50 import ResNet50


@pytest.fixture(scope="module")
def network() -> ResNet50:
    torch.manual_seed(0)
    return ResNet50(28)


def test_redrawn_weights_keep_mean_and_deviation_of_each_tensor_and_nothing_else(
    network: ResNet50,
) -> None:
    before = {name: p.detach().clone() for name, p in network.backbone.named_parameters()}
    head = network.head.weight.detach().clone()
    redraw(network, seed=1)
    for name, found in network.backbone.named_parameters():
        old = before[name]
        if old.ndim < 4:
            continue
        after = found.detach()
        spread = float(old.std())
        tolerance = 5 / old.numel() ** 0.5
        assert float(after.mean()) == pytest.approx(float(old.mean()), abs=tolerance * spread)
        assert float(after.std()) == pytest.approx(spread, rel=0.05)
        both = torch.stack([old.flatten(), after.flatten()])
        assert abs(float(torch.corrcoef(both)[0, 1])) < tolerance
    assert torch.equal(network.head.weight, head)


def test_the_same_seed_draws_the_same_weights() -> None:
    drawn = []
    for seed in (1, 1, 2):
        torch.manual_seed(0)
        network = ResNet50(28)
        redraw(network, seed)
        drawn.append(network.backbone.conv1.weight.detach())
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_estimated_statistics_are_those_of_the_images(network: ResNet50) -> None:
    images = torch.randint(0, 256, (40, 1, 28, 28), dtype=torch.uint8)
    estimate_statistics(network, images)
    assert not network.training
    with torch.no_grad():
        maps = network.backbone.conv1(network.preprocess(images))
    norm = network.backbone.bn1
    torch.testing.assert_close(norm.running_mean, maps.mean((0, 2, 3)), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(norm.running_var, maps.var((0, 2, 3)), atol=1e-3, rtol=1e-3)
    assert isinstance(norm, nn.BatchNorm2d)
    assert norm.momentum == 0.1
    with torch.no_grad():
        assert network.features(images).std() < 100
