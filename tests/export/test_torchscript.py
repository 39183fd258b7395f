import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from mnist_lightning.data.digits import Digits
from mnist_lightning.errors import UserError
from mnist_lightning.export.torchscript import export_torchscript, load_torchscript
from mnist_lightning.models.cnn import CNN


@pytest.fixture
def network(tiny_digits: Digits) -> CNN:
    """A small network in training mode, with updated batch statistics."""
    torch.manual_seed(0)
    network = CNN((4, 8), dropout=0.5)
    with torch.no_grad():
        network(tiny_digits.images)
    return network


def _logits(network: nn.Module, images: Tensor) -> Tensor:
    with torch.no_grad():
        logits: Tensor = network.eval()(images)
    return logits


def test_the_loaded_file_agrees_with_the_network_in_evaluation_mode(
    network: CNN, tiny_digits: Digits, tmp_path: Path
) -> None:
    exported = export_torchscript(network, tmp_path / "model.pt", tiny_digits.images)

    expected = _logits(network, tiny_digits.images)
    assert torch.allclose(exported.logits, expected, atol=1e-5)
    for n in (1, 37):
        images = tiny_digits.images[:n]
        with torch.no_grad():
            found = exported.model(images)
        assert found.dtype == torch.float32
        assert torch.allclose(found, expected[:n], atol=1e-5)


def test_weights_are_laid_out_channels_last_in_the_file(
    network: CNN, tiny_digits: Digits, tmp_path: Path
) -> None:
    network.to(memory_format=torch.contiguous_format)

    model = export_torchscript(network, tmp_path / "model.pt", tiny_digits.images).model

    weights = [
        value
        for node in model.graph.nodes()
        if node.kind() == "aten::conv2d"
        for value in [list(node.inputs())[1].toIValue()]
    ]
    assert len(weights) == 4
    assert all(one.is_contiguous(memory_format=torch.channels_last) for one in weights)


def test_parity_is_measured_on_all_images(
    network: CNN, tiny_digits: Digits, tmp_path: Path
) -> None:
    exported = export_torchscript(network, tmp_path / "model.pt", tiny_digits.images)

    difference = (exported.logits - _logits(network, tiny_digits.images)).abs().max().item()
    assert exported.parity.format == "TorchScript"
    assert exported.parity.n == len(tiny_digits)
    # With another memory layout of the same weights, sums are computed in another order.
    assert exported.parity.max_abs_difference == pytest.approx(difference, abs=1e-5)
    assert exported.parity.max_abs_difference < 1e-5
    assert exported.parity.argmax_agreement == 1.0


def test_a_file_that_differs_is_detected_by_its_parity(
    network: CNN, tiny_digits: Digits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(1)
    other = export_torchscript(CNN((4, 8)), tmp_path / "other.pt", tiny_digits.images)
    monkeypatch.setattr(
        "mnist_lightning.export.torchscript.load_torchscript", lambda path: other.model
    )

    parity = export_torchscript(network, tmp_path / "model.pt", tiny_digits.images).parity

    assert parity.max_abs_difference > 0.01
    assert parity.argmax_agreement < 0.9


def test_the_network_is_not_changed(network: CNN, tiny_digits: Digits, tmp_path: Path) -> None:
    before = {name: value.clone() for name, value in network.state_dict().items()}

    export_torchscript(network, tmp_path / "model.pt", tiny_digits.images)

    assert network.training
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_the_file_runs_without_this_package(
    network: CNN, tiny_digits: Digits, tmp_path: Path
) -> None:
    exported = export_torchscript(network, tmp_path / "model.pt", tiny_digits.images)
    program = (
        "import sys, torch; model = torch.jit.load('model.pt');"
        "logits = model(torch.zeros(3, 1, 28, 28, dtype=torch.uint8));"
        "print([name for name in sys.modules if name.startswith(('mnist_', 'lightning'))]);"
        "print(logits[0].tolist())"
    )

    # -I: neither the current folder nor PYTHONPATH can be imported from.
    done = subprocess.run(
        [sys.executable, "-I", "-W", "ignore", "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )

    imported, logits = done.stdout.splitlines()
    assert imported == "[]"
    with torch.no_grad():
        expected = exported.model(torch.zeros(1, 1, 28, 28, dtype=torch.uint8))[0]
    assert torch.allclose(torch.tensor([float(x) for x in logits[1:-1].split(",")]), expected)


def test_an_older_file_survives_a_failure_to_write(
    network: CNN, tiny_digits: Digits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.pt"
    path.write_bytes(b"old")

    def fail(path: Path, content: bytes) -> None:
        path.write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fail)

    with pytest.raises(OSError, match="No space left"):
        export_torchscript(network, path, tiny_digits.images)

    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_network_whose_logits_are_not_finite_is_refused(
    network: CNN, tiny_digits: Digits, tmp_path: Path
) -> None:
    with torch.no_grad():
        network.head.bias[3] = float("nan")

    with pytest.raises(UserError, match="finite"):
        export_torchscript(network, tmp_path / "model.pt", tiny_digits.images)


def test_the_deprecation_of_torchscript_is_not_shown_to_users(
    network: CNN, tiny_digits: Digits, tmp_path: Path
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        export_torchscript(network, tmp_path / "model.pt", tiny_digits.images)
        load_torchscript(tmp_path / "model.pt")
