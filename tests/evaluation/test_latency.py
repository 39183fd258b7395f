import pytest
import torch
from torch import Tensor, nn

from mnist_lightning.evaluation import latency
from mnist_lightning.evaluation.latency import call_seconds, measure_latency


class Recorder(nn.Module):
    """Remembers what it was called with."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Tensor] = []

    def forward(self, images: Tensor) -> Tensor:
        assert torch.is_inference_mode_enabled()
        self.calls.append(images)
        return torch.zeros(len(images), 10)


@pytest.fixture
def images() -> Tensor:
    return torch.arange(5, dtype=torch.uint8).reshape(5, 1, 1, 1).expand(5, 1, 28, 28)


def test_without_any_budget_three_calls_follow_the_warm_up(images: Tensor) -> None:
    model = Recorder()
    result = measure_latency(model, images, budget_seconds=0)
    assert [len(call) for call in model.calls] == [1] * 6 + [256] * 6
    assert (result.single.calls, result.batched.calls, result.warmup_calls) == (3, 3, 3)


def test_single_images_are_used_in_turn_and_batches_filled_by_repetition(images: Tensor) -> None:
    model = Recorder()
    measure_latency(model, images, budget_seconds=0)
    singles = [int(call[0, 0, 0, 0]) for call in model.calls if len(call) == 1]
    assert singles == [0, 1, 2, 3, 4, 0]
    assert model.calls[-1][:7, 0, 0, 0].tolist() == [0, 1, 2, 3, 4, 0, 1]


def test_times_are_per_image_in_milliseconds(
    images: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(latency, "call_seconds", lambda call, budget: [0.1, 0.2, 0.3])
    result = measure_latency(Recorder(), images)
    assert result.single.p50_ms == pytest.approx(200)
    assert result.single.p95_ms == pytest.approx(290)
    assert result.single.images_per_second == pytest.approx(5)
    assert result.batched.p50_ms == pytest.approx(200 / 256)
    assert result.batched.images_per_second == pytest.approx(5 * 256)


def test_thread_count_is_the_one_in_force(images: Tensor) -> None:
    assert measure_latency(Recorder(), images, 0).threads == torch.get_num_threads()


@pytest.mark.parametrize(("budget", "calls"), [(20, 20), (0, 3), (2.5, 3)])
def test_calls_stop_when_the_budget_is_spent(
    monkeypatch: pytest.MonkeyPatch, budget: float, calls: int
) -> None:
    now = 0.0

    def call() -> None:
        nonlocal now
        now += 1

    monkeypatch.setattr("time.perf_counter", lambda: now)
    assert call_seconds(call, budget) == [1.0] * calls
