"""The optimised copy of a frozen backbone against the original."""

import copy

import pytest
import torch
from torch import Tensor, nn

from mnist_lightning.models.feature_extraction import FeatureExtractor, default_batch_size
from mnist_lightning.models.resnet50 import FEATURES, ResNet50


@pytest.fixture(scope="module")
def images() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (5, 1, 28, 28), dtype=torch.uint8, generator=generator)


@pytest.fixture(scope="module")
def network() -> ResNet50:
    """A network whose BatchNorms are not the identity, as in a trained network."""
    torch.manual_seed(0)
    network = ResNet50(image_size=32)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.1, 0.1)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
            nn.init.uniform_(module.weight, 0.5, 1.0)
    return network


def plain_features(network: ResNet50, images: Tensor) -> Tensor:
    with torch.inference_mode():
        return copy.deepcopy(network).eval().features(images)


def test_float32_features_equal_those_of_the_network(network: ResNet50, images: Tensor) -> None:
    batches = list(FeatureExtractor(network, "32-true", batch_size=2)(images))
    assert [batch.shape for batch in batches] == [(2, FEATURES), (2, FEATURES), (1, FEATURES)]
    expected = plain_features(network, images)
    assert expected.std() > 0.01
    torch.testing.assert_close(torch.cat(batches), expected, atol=1e-5, rtol=1e-4)


def test_bfloat16_features_are_float32_and_close(network: ResNet50, images: Tensor) -> None:
    (found,) = FeatureExtractor(network, "bf16-mixed")(images)
    expected = plain_features(network, images)
    assert found.dtype == torch.float32
    assert (found - expected).norm() < 0.03 * expected.norm()
    assert not torch.equal(found, expected)


def test_network_is_not_changed(network: ResNet50, images: Tensor) -> None:
    network.train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    list(FeatureExtractor(network, "32-true")(images))
    assert network.training
    assert network.state_dict().keys() == before.keys()
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name]), name


def test_no_batchnorm_remains(network: ResNet50) -> None:
    extractor = FeatureExtractor(network, "32-true")
    assert not any(isinstance(m, nn.BatchNorm2d) for m in extractor.network.modules())


@pytest.mark.parametrize(("size", "on_cpu"), [(32, 1024), (64, 256), (224, 20), (2000, 1)])
def test_batches_are_smaller_for_larger_images(size: int, on_cpu: int) -> None:
    assert default_batch_size(size, torch.device("cpu")) == on_cpu
    assert default_batch_size(size, torch.device("cuda")) > on_cpu
