from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from mnist_lightning.evaluation import peak_memory
from mnist_lightning.evaluation.cost import (
    Parameters,
    count_multiply_accumulates,
    measure_cost,
    measure_memory,
)
from mnist_lightning.evaluation.peak_memory import measure_peak_memory, own_peak_bytes
from mnist_lightning.export.torchscript import export_torchscript, load_torchscript

MB = 1_000_000


class Small(nn.Module):
    """A 3x3 convolution with five channels and a linear layer."""

    def __init__(self, ballast: int = 0) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 5, 3)
        self.head = nn.Linear(5, 10)
        self.ballast = nn.Parameter(torch.zeros(ballast))

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.conv(images.float()).amax(dim=(2, 3)))
        # Times a pixel, so that freezing does not fold the ballast into one number.
        return logits + (self.ballast * images[0, 0, 0, 0]).sum()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    images = torch.zeros(2, 1, 28, 28, dtype=torch.uint8)
    export_torchscript(Small(), tmp_path / "model.pt", images)
    return tmp_path / "model.pt"


def test_multiply_accumulates_of_the_loaded_file_are_those_of_the_formula(path: Path) -> None:
    # 26 x 26 positions, 5 channels, 9 weights each; 5 features times 10 digits.
    expected = 26 * 26 * 5 * 9 + 5 * 10
    assert count_multiply_accumulates(load_torchscript(path)) == expected
    assert count_multiply_accumulates(Small()) == expected


def test_cost_is_that_of_the_file(path: Path) -> None:
    cost = measure_cost(load_torchscript(path), path, Parameters(110, 110), None)
    assert cost.file_bytes == path.stat().st_size
    assert cost.parameters.total == 110


def test_memory_is_that_of_the_model_and_not_of_this_process(path: Path) -> None:
    large = path.with_name("large.pt")
    images = torch.zeros(2, 1, 28, 28, dtype=torch.uint8)
    export_torchscript(Small(ballast=50 * MB), large, images)
    # getrusage would report this for the child.
    here = torch.ones(500 * MB // 4)
    assert own_peak_bytes() > 500 * MB
    small_memory, large_memory = measure_memory([path, large])
    assert here is not None
    assert small_memory is not None
    assert large_memory is not None
    assert small_memory.baseline_bytes < own_peak_bytes()
    needs = [found.peak_bytes - found.baseline_bytes for found in (small_memory, large_memory)]
    assert needs[1] - needs[0] > 150 * MB


@pytest.mark.parametrize("program", ["no-such-program", "false", "true"])
def test_memory_is_unknown_where_the_process_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    monkeypatch.setattr(peak_memory.sys, "executable", program)
    assert measure_peak_memory(tmp_path / "model.pt", 1) is None


def test_system_without_proc_falls_back_to_getrusage(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = own_peak_bytes()
    monkeypatch.setattr(peak_memory.Path, "is_file", lambda self: False)
    # No memory was freed and allocated again in between, so both report the same peak.
    assert own_peak_bytes() == pytest.approx(expected, rel=0.5)
