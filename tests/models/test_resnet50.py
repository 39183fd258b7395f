"""ResNet50 against torchvision's own, and through TorchScript."""

import io

import pytest
import torch
import torchvision.transforms.v2.functional as tv
from torch import Tensor, nn
from torchvision.models import ResNet50_Weights, resnet50

from mnist_lightning.errors import UserError
from mnist_lightning.models.resnet50 import (
    FEATURES,
    IMAGENET_MEAN,
    IMAGENET_STD,
    FeatureLayer,
    ResNet50,
)

SIZE = 32


@pytest.fixture(scope="module")
def images() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (37, 1, 28, 28), dtype=torch.uint8, generator=generator)


@pytest.fixture(scope="module")
def network() -> ResNet50:
    torch.manual_seed(0)
    return ResNet50(image_size=SIZE).eval()


def test_parameters_with_linear_head_are_23528522(network: ResNet50) -> None:
    assert sum(parameter.numel() for parameter in network.parameters()) == 23_528_522
    assert type(network.head) is nn.Linear


def test_logits_equal_those_of_torchvision_with_the_same_weights(
    network: ResNet50, images: Tensor
) -> None:
    reference = resnet50(num_classes=10).eval()
    head = {f"fc.{name}": tensor for name, tensor in network.head.state_dict().items()}
    reference.load_state_dict({**network.backbone.state_dict(), **head})
    rgb = tv.to_dtype(tv.grayscale_to_rgb(images[:4]), torch.float32, scale=True)
    rgb = tv.normalize(tv.resize(rgb, [SIZE, SIZE], antialias=True), IMAGENET_MEAN, IMAGENET_STD)
    with torch.inference_mode():
        torch.testing.assert_close(network(images[:4]), reference(rgb), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("weights", list(ResNet50_Weights))
def test_default_normalisation_is_that_of_the_imagenet_weights(weights: ResNet50_Weights) -> None:
    preset = weights.transforms()
    assert (tuple(preset.mean), tuple(preset.std)) == (IMAGENET_MEAN, IMAGENET_STD)


def test_normalisation_is_applied_per_channel() -> None:
    network = ResNet50(28, contrast_normalisation=False)
    network.mean.copy_(torch.tensor([0.0, 0.5, 1.0]).view(1, 3, 1, 1))
    network.std.copy_(torch.tensor([1.0, 0.5, 2.0]).view(1, 3, 1, 1))
    white = torch.full((1, 1, 28, 28), 255, dtype=torch.uint8)
    pixels = network.preprocess(white)
    assert pixels.shape == (1, 3, 28, 28)
    assert pixels.mean(dim=(2, 3)).tolist() == [[1.0, 1.0, 0.0]]


def test_features_and_logits_are_float32_even_under_autocast(
    network: ResNet50, images: Tensor
) -> None:
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        features = network.features(images[:2])
        logits = network.classify(features)
    assert (features.dtype, features.shape) == (torch.float32, (2, FEATURES))
    assert (logits.dtype, logits.shape) == (torch.float32, (2, 10))


def test_dropout_acts_on_the_features_only_in_training_mode() -> None:
    network = ResNet50(dropout=0.5)
    nn.init.constant_(network.head.weight, 1.0)
    features = torch.ones(1, FEATURES)
    plain = network.eval().classify(features)
    torch.manual_seed(0)
    assert not torch.equal(network.train().classify(features), plain)
    torch.testing.assert_close(plain, FEATURES + network.head.bias[None])


def test_frozen_torchscript_gives_the_same_logits_after_reloading(
    network: ResNet50, images: Tensor
) -> None:
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.freeze(torch.jit.script(network)), buffer)
    buffer.seek(0)
    reloaded = torch.jit.load(buffer)
    with torch.inference_mode():
        for batch in (images[:1], images):
            torch.testing.assert_close(reloaded(batch), network(batch), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "culprit"),
    [
        ({"image_size": 27}, "image_size must be from 28 to 1024, not 27"),
        ({"image_size": 1025}, "image_size must be from 28 to 1024, not 1025"),
        ({"dropout": 1.0}, "dropout"),
        ({"dropout": -0.1}, "dropout"),
    ],
)
def test_values_out_of_range_are_refused_by_name(
    arguments: dict[str, object], culprit: str
) -> None:
    with pytest.raises(UserError, match=culprit):
        ResNet50(**arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(("layer", "width"), [("layer2", 512), ("layer3", 1024)])
def test_an_earlier_layer_gives_its_averaged_feature_maps(
    layer: FeatureLayer, width: int, images: Tensor
) -> None:
    whole = ResNet50(32).eval()
    short = ResNet50(32, feature_layer=layer).eval()
    own = short.backbone.state_dict()
    weights = whole.backbone.state_dict()
    short.backbone.load_state_dict({name: weights[name] for name in own})
    seen: list[Tensor] = []
    whole.backbone.get_submodule(layer).register_forward_hook(lambda m, i, out: seen.append(out))

    with torch.inference_mode():
        whole(images[:2])
        features = short.features(images[:2])

    assert features.shape == (2, width)
    torch.testing.assert_close(features, seen[0].mean(dim=(2, 3)))
    assert len(own) < len(weights)
