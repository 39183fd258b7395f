from collections.abc import Callable
from typing import Any

import pytest
import torch
import yaml
from torch import Tensor, nn

from mnist_lightning.errors import UserError
from mnist_lightning.models.cnn import CNN
from mnist_lightning.terminal.presets import preset_file


def _digits(n: int) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (n, 1, 28, 28), generator=generator).to(torch.uint8)


def _trained(**options: Any) -> CNN:
    """A small network in eval mode whose batch statistics differ from the initial ones."""
    torch.manual_seed(0)
    network = CNN(**{"widths": (4, 8, 8), **options})
    with torch.no_grad():
        network(_digits(64))
    return network.eval()


def _parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_the_default_network_has_fewer_than_100_000_parameters() -> None:
    assert _parameters(CNN()) < 100_000


def test_the_shipped_preset_has_fewer_than_100_000_parameters() -> None:
    settings = yaml.safe_load(preset_file("cnn").read_text(encoding="utf-8"))["model"]["init_args"]
    names = {"widths", "convs_per_stage", "dropout"}

    network = CNN(**{name: value for name, value in settings.items() if name in names})

    assert _parameters(network) < 100_000


@pytest.mark.parametrize("widths", [(4,), (4, 8), (2, 2, 2, 2, 2)])
@pytest.mark.parametrize("n", [1, 37])
def test_uint8_images_give_ten_float32_logits_each(n: int, widths: tuple[int, ...]) -> None:
    logits = CNN(widths, convs_per_stage=1).eval()(_digits(n))

    assert logits.shape == (n, 10)
    assert logits.dtype == torch.float32


def test_logits_are_float32_under_bfloat16_autocast() -> None:
    with torch.autocast("cpu", torch.bfloat16):
        logits = _trained()(_digits(3))

    assert logits.dtype == torch.float32


def test_pixels_are_normalised_with_the_statistics_of_mnist() -> None:
    network = CNN((1,), convs_per_stage=1, contrast_normalisation=False).eval()
    seen: list[Tensor] = []
    network.features.register_forward_pre_hook(lambda module, args: seen.append(args[0]))

    network(torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1).expand(2, 1, 28, 28))

    for image, pixel in zip(seen[0], (0, 1), strict=True):
        assert torch.allclose(image, torch.tensor((pixel - 0.1307) / 0.3081))


def test_widths_and_depth_match_the_arguments() -> None:
    network = CNN((3, 5), convs_per_stage=3)

    convolutions = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    assert [layer.out_channels for layer in convolutions] == [3, 3, 3, 5, 5, 5]


def test_only_the_first_convolution_is_strided() -> None:
    network = CNN((3, 5), first_kernel=5, first_stride=2)

    first, *others = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    assert (first.kernel_size, first.stride) == ((5, 5), (2, 2))
    assert {(layer.kernel_size, layer.stride) for layer in others} == {((3, 3), (1, 1))}
    # 28 is halved by the stride and again between the stages.
    assert network.features(torch.zeros(1, 1, 28, 28)).shape == (1, 5, 7, 7)


@pytest.mark.parametrize(("stride", "stages"), [(1, 5), (2, 4), (3, 4), (4, 3), (28, 1)])
def test_a_stride_reduces_the_possible_number_of_stages(stride: int, stages: int) -> None:
    network = CNN((2,) * stages, convs_per_stage=1, first_stride=stride).eval()

    assert network(_digits(1)).shape == (1, 10)
    with pytest.raises(UserError, match=f"widths must be 1 (to {stages} )?positive number"):
        CNN((2,) * (stages + 1), convs_per_stage=1, first_stride=stride)


def test_dropout_is_active_only_in_training_mode() -> None:
    # The network is in eval mode, so that only dropout can make two calls differ.
    network, images = _trained(dropout=0.5), _digits(8)
    assert torch.equal(network(images), network(images))

    network.dropout.train()

    assert not torch.equal(network(images), network(images))


def test_logits_of_an_image_do_not_depend_on_its_batch() -> None:
    network, images = _trained(), _digits(16)

    alone = torch.cat([network(image.unsqueeze(0)) for image in images])

    assert torch.allclose(network(images), alone, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"widths": ()}, "widths"),
        ({"widths": (1, 1, 1, 1, 1, 1)}, "widths"),
        ({"widths": (8, 0)}, "widths"),
        ({"convs_per_stage": 0}, "convs_per_stage"),
        ({"dropout": -0.1}, "dropout"),
        ({"dropout": 1.0}, "dropout"),
        ({"dropout": float("nan")}, "dropout"),
        ({"first_kernel": 4}, "first_kernel"),
        ({"first_kernel": -1}, "first_kernel"),
        ({"first_stride": 0}, "first_stride"),
        ({"first_stride": 29}, "first_stride"),
        ({"convs_per_stage": 33}, "convs_per_stage"),
        ({"convs_per_stage": 1_000_000_000}, "convs_per_stage"),
        ({"first_kernel": 59}, "first_kernel"),
    ],
)
def test_values_out_of_range_are_refused_by_name(arguments: dict[str, Any], name: str) -> None:
    with pytest.raises(UserError, match=rf"model\.{name} must be"):
        CNN(**arguments)


@pytest.mark.parametrize("arguments", [{"widths": (40_000, 40_000)}, {"widths": (2**62,)}])
def test_network_larger_than_any_memory_is_refused_before_it_is_built(
    arguments: dict[str, Any],
) -> None:
    with pytest.raises(UserError, match=r"model\.widths .* weights, more than 100,000,000"):
        CNN(**arguments)


def test_size_is_that_of_the_convolutions(monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = {"widths": (4, 8, 8), "convs_per_stage": 3}
    network = CNN(**arguments)  # type: ignore[arg-type]
    weights = sum(p.numel() for p in network.features.parameters() if p.ndim == 4)
    monkeypatch.setattr("mnist_lightning.models.cnn.MAX_WEIGHTS", weights)
    CNN(**arguments)  # type: ignore[arg-type]
    monkeypatch.setattr("mnist_lightning.models.cnn.MAX_WEIGHTS", weights - 1)
    with pytest.raises(UserError, match=f"have {weights:,} weights"):
        CNN(**arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "optimise",
    [
        pytest.param(lambda scripted: scripted, id="script"),
        pytest.param(torch.jit.freeze, id="freeze"),
        pytest.param(lambda scripted: torch.jit.optimize_for_inference(scripted), id="optimize"),
    ],
)
@pytest.mark.parametrize("n", [1, 37])
def test_torchscript_gives_the_same_logits(
    optimise: Callable[[torch.jit.ScriptModule], torch.jit.ScriptModule], n: int
) -> None:
    network, images = _trained(dropout=0.1), _digits(n)

    # Scripting alone proves nothing: some layers script without an error and fail when called.
    exported = optimise(torch.jit.script(network))

    with torch.no_grad():
        assert torch.allclose(exported(images), network(images), atol=1e-5)


def test_torch_export_takes_any_number_of_images() -> None:
    network = _trained()

    program = torch.export.export(
        network, (_digits(2),), dynamic_shapes=({0: torch.export.Dim("batch")},)
    )

    with torch.no_grad():
        for n in (1, 37):
            assert torch.allclose(program.module()(_digits(n)), network(_digits(n)), atol=1e-5)
