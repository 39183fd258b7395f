import pytest
import torch
from torch import Tensor, nn

from mnist_lightning.models.cnn import CNN
from mnist_lightning.models.soft_voting import Ensemble


class Fixed(nn.Module):
    """Returns the same logits for every image."""

    def __init__(self, logits: list[float]) -> None:
        super().__init__()
        self.register_buffer("logits", torch.tensor(logits))

    def forward(self, images: Tensor) -> Tensor:
        return self.get_buffer("logits").expand(len(images), -1)


@pytest.fixture
def images() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (4, 1, 28, 28), dtype=torch.uint8, generator=generator)


def test_softmax_of_the_logits_is_the_mean_of_the_members_probabilities(images: Tensor) -> None:
    torch.manual_seed(0)
    members = [CNN((4, 8)).eval() for _ in range(3)]
    with torch.inference_mode():
        found = Ensemble(members)(images)
        expected = torch.stack([one(images).double().softmax(1) for one in members]).mean(0)
    assert (found.shape, found.dtype) == ((4, 10), torch.float32)
    assert torch.allclose(found.double().softmax(1), expected, atol=1e-6)
    # The logits are the logarithms of the mean, not just equal to them up to a constant.
    assert torch.allclose(found.double().exp(), expected, atol=1e-6)


def test_certain_members_that_disagree_give_finite_logits(images: Tensor) -> None:
    certain = [Fixed([1000.0 * (digit == one) for digit in range(10)]) for one in (3, 5)]
    found = Ensemble(certain)(images)
    assert found.isfinite().all()
    halves = torch.zeros(10)
    halves[[3, 5]] = 0.5
    assert torch.allclose(found.softmax(1), halves.expand(4, 10))


def test_the_same_member_twice_changes_no_probability(images: Tensor) -> None:
    torch.manual_seed(0)
    member = CNN((4, 8)).eval()
    with torch.inference_mode():
        twice, once = Ensemble([member, member])(images), member(images)
    assert torch.allclose(twice.softmax(1), once.softmax(1), atol=1e-6)
