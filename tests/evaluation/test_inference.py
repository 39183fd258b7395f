import pytest
import torch
from torch import Tensor, nn

from mnist_lightning.errors import UserError
from mnist_lightning.evaluation.inference import predict_logits


class Network(nn.Module):
    """Gives logits that depend on the image alone, so the batch size must not matter."""

    def __init__(self, classes: int = 10, scale: float = 1.0) -> None:
        super().__init__()
        self.scale = scale
        self.linear = nn.Linear(784, classes)

    def forward(self, images: Tensor) -> Tensor:
        return self.linear(images.flatten(1).float() / 255) * self.scale


@pytest.fixture
def images() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (7, 1, 28, 28), dtype=torch.uint8, generator=generator)


@pytest.mark.parametrize("batch_size", [1, 3, 7, 100])
def test_batch_size_does_not_change_logits_or_their_order(images: Tensor, batch_size: int) -> None:
    network = Network().eval()
    logits = predict_logits(network, images, batch_size)
    assert logits.dtype == torch.float32
    assert not logits.requires_grad
    with torch.no_grad():
        torch.testing.assert_close(logits, network(images))


def test_frozen_torchscript_gives_the_same_logits(images: Tensor) -> None:
    network = Network().eval()
    frozen = torch.jit.freeze(torch.jit.script(network))
    torch.testing.assert_close(predict_logits(frozen, images), predict_logits(network, images))


def test_no_images_give_no_logits(images: Tensor) -> None:
    assert predict_logits(Network().eval(), images[:0]).shape == (0, 10)


def test_training_mode_is_refused(images: Tensor) -> None:
    with pytest.raises(ValueError, match="training mode"):
        predict_logits(Network().train(), images)


def test_other_number_of_classes_is_refused_with_both_shapes(images: Tensor) -> None:
    with pytest.raises(UserError, match=r"\(7, 9\).*\(7, 10\)"):
        predict_logits(Network(classes=9).eval(), images)


def test_half_precision_output_is_refused(images: Tensor) -> None:
    class Half(Network):
        def forward(self, images: Tensor) -> Tensor:
            return super().forward(images).half()

    with pytest.raises(UserError, match="float16"):
        predict_logits(Half().eval(), images)


@pytest.mark.parametrize("scale", [float("nan"), float("inf")])
def test_logits_that_are_not_finite_are_refused(images: Tensor, scale: float) -> None:
    with pytest.raises(UserError, match="not finite"):
        predict_logits(Network(scale=scale).eval(), images)


@pytest.mark.parametrize(
    "wrong",
    [
        torch.rand(2, 1, 28, 28),
        torch.zeros(2, 1, 28, 28, dtype=torch.bool),
        torch.zeros(2, 1, 32, 32, dtype=torch.uint8),
        torch.zeros(2, 28, 28, dtype=torch.uint8),
    ],
    ids=["floats", "bool", "32x32", "no channel"],
)
def test_other_images_than_digits_are_refused(wrong: Tensor) -> None:
    with pytest.raises(ValueError, match=r"expected uint8 images of shape \(N, 1, 28, 28\), found"):
        predict_logits(Network().eval(), wrong)
