"""The bfloat16 file: as fast as it can be, and every prediction that of the float32 network."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from mnist_lightning.data.digits import Digits
from mnist_lightning.errors import UserError
from mnist_lightning.evaluation.inference import predict_logits
from mnist_lightning.evaluation.parity import measure_parity
from mnist_lightning.export import bfloat16
from mnist_lightning.export.bfloat16 import CloseInFloat32, export_bfloat16
from mnist_lightning.export.loading import load_network
from mnist_lightning.export.metadata import Metadata, read_entries
from mnist_lightning.export.tracing import plain_copy
from mnist_lightning.models.cnn import CNN
from mnist_lightning.models.soft_voting import Ensemble
from mnist_lightning.records.exported_files import BFLOAT16, INT8, ReducedPrecision

METADATA = Metadata("Title", "MNIST", 0.5, 100, None, None, None, "test", None, 0)
#: Logits far beyond those of a network.
EVERY, NO = 1e9, -1.0


def _network(digits: Digits, seed: int = 0) -> CNN:
    torch.manual_seed(seed)
    network = CNN((8, 16))
    with torch.no_grad():
        network(digits.images)  # updates the batch statistics
    return network.eval()


def _logits(
    network: nn.Module, close: float, images: Tensor, folder: Path, patch: pytest.MonkeyPatch
) -> Tensor:
    patch.setattr(bfloat16, "CLOSE", close)
    export_bfloat16(network, folder / "model.pt", METADATA)
    return predict_logits(load_network(folder / "model.pt"), images)


@pytest.mark.parametrize("members", [1, 2])
def test_logits_are_rounded_unless_they_are_close(
    members: int, tiny_digits: Digits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    networks = [_network(tiny_digits, seed) for seed in range(members)]
    network = networks[0] if members == 1 else Ensemble(networks)
    images = tiny_digits.images
    expected = predict_logits(plain_copy(network), images)
    best = expected.topk(2, dim=1).values
    margins = best[:, 0] - best[:, 1]
    typical = float(margins.median())

    rounded = _logits(network, NO, images, tmp_path, monkeypatch)
    both = _logits(network, typical, images, tmp_path, monkeypatch)
    exact = _logits(network, EVERY, images, tmp_path, monkeypatch)

    torch.testing.assert_close(exact, expected, atol=1e-5, rtol=0)
    error = float((rounded - expected).abs().max())
    assert 1e-4 < error < 0.05 * float(expected.abs().max())
    close = margins < typical - 2 * error
    far = margins > typical + 2 * error
    assert close.any()
    assert far.any()
    torch.testing.assert_close(both[close], expected[close], atol=1e-5, rtol=0)
    assert torch.equal(both[far], rounded[far])


def test_the_file_describes_itself(tiny_digits: Digits, tmp_path: Path) -> None:
    export_bfloat16(_network(tiny_digits), tmp_path / "model.pt", METADATA)

    entries = replace(METADATA, precision=bfloat16.PRECISION).entries()
    assert read_entries(tmp_path / "model.pt") == entries


def test_a_batch_may_be_empty_or_undecided_as_a_whole() -> None:
    network = CloseInFloat32(_Constant(0.0), _Constant(2.0))

    assert network(torch.zeros(0, 1, 28, 28)).shape == (0, 10)
    assert network(torch.zeros(3, 1, 28, 28)).eq(2).all()


class _Constant(nn.Module):
    def __init__(self, logit: float) -> None:
        super().__init__()
        self.logit = logit

    def forward(self, images: Tensor) -> Tensor:
        return torch.full((len(images), 10), self.logit)


def test_other_networks_have_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="only the CNN and its ensembles"):
        export_bfloat16(nn.Flatten(), tmp_path / "model.pt", METADATA)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("title", "single", "batched", "changed", "kept"),
    [
        (INT8, 1.1, 1.1, 5, True),
        (INT8, 0.9, 1.1, 0, False),
        (INT8, 1.1, 0.9, 0, False),
        (BFLOAT16, 0.9, 1.1, 0, True),
        (BFLOAT16, 1.1, 0.9, 0, False),
        (BFLOAT16, 1.1, 1.1, 1, False),
    ],
)
def test_a_less_precise_file_is_kept_where_it_is_worth_it(
    title: str, single: float, batched: float, changed: int, kept: bool
) -> None:
    logits = torch.eye(10)
    found = logits.clone()
    found[:changed] = found[:changed].roll(1, dims=1)
    parity = replace(measure_parity(title, logits, found), n=10)
    file = ReducedPrecision(
        None, 1, parity, 10, 1.0, 0.0, 0, 1, 1, single, batched, 256, "A processor"
    )

    assert file.is_worth_it == kept
