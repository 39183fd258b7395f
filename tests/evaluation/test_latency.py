from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from mnist_lightning.evaluation import latency as module
from mnist_lightning.evaluation.latency import (
    BATCH_SIZES,
    TABLE_BATCH_SIZES,
    BenchmarkSettings,
    benchmark,
    default_settings,
    interleaved_seconds,
    measure_latency,
)

IMAGES = torch.arange(5, dtype=torch.uint8).reshape(5, 1, 1, 1).expand(5, 1, 28, 28)
SETTINGS = BenchmarkSettings((1,), (1, 4), 3, seconds_per_point=0, turn_seconds=0)


class Clock:
    now = 0.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    Clock.now = 0.0
    monkeypatch.setattr(module.time, "perf_counter", lambda: Clock.now)
    yield
    Clock.now = 0.0


class Call:
    """Appends its name to a log, and takes a fixed time on the clock."""

    def __init__(self, name: str, log: list[str], seconds: float = 1.0) -> None:
        self.name, self.log, self.seconds = name, log, seconds

    def __call__(self) -> None:
        self.log.append(self.name)
        Clock.now += self.seconds


class Recorder(nn.Module):
    """Remembers its inputs and the number of threads, and takes a fixed time on the clock."""

    def __init__(self, seconds: float = 0.0) -> None:
        super().__init__()
        self.calls: list[Tensor] = []
        self.threads: list[int] = []
        self.seconds = seconds

    def forward(self, images: Tensor) -> Tensor:
        assert torch.is_inference_mode_enabled()
        self.calls.append(images)
        self.threads.append(torch.get_num_threads())
        Clock.now += self.seconds
        return torch.zeros(len(images), 10)


@pytest.mark.usefixtures("clock")
def test_calls_alternate_after_their_warm_up() -> None:
    log: list[str] = []
    interleaved_seconds([Call("A", log), Call("B", log, 2.0)], warmup=3)
    assert "".join(log) == "AAABBB" + "ABABAB"


@pytest.mark.usefixtures("clock")
def test_each_call_gets_its_time_and_its_own_results() -> None:
    log: list[str] = []
    calls = [Call("A", log, 1.0), Call("B", log, 4.0)]
    quick, slow = interleaved_seconds(calls, budget=8, turn=2, warmup=0)
    assert quick == [1.0] * 8
    # Three calls at least, although two would exhaust the budget.
    assert slow == [4.0] * 3
    assert "".join(log) == "AAB" * 3 + "AA"


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize(("budget", "calls"), [(20, 20), (0, 3), (2.5, 3)])
def test_calls_stop_when_the_budget_is_spent(budget: float, calls: int) -> None:
    assert interleaved_seconds([Call("A", [])], budget=budget) == [[1.0] * calls]


@pytest.mark.usefixtures("clock")
def test_a_pause_before_each_turn_is_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(module.time, "sleep", pauses.append)
    times = interleaved_seconds([Call("A", []), Call("B", [])], minimum=2, pause=0.25)
    assert times == [[1.0] * 2] * 2
    assert pauses == [0.25] * 4


def test_without_any_budget_three_calls_follow_the_warm_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "BUDGET_SECONDS", 0)
    model = Recorder()
    result = measure_latency(model, IMAGES)
    assert [len(call) for call in model.calls] == [1] * 6 + [256] * 6
    assert (result.single.calls, result.batched.calls, result.warmup_calls) == (3, 3, 3)
    assert (result.single.batch_size, result.batched.batch_size) == (1, 256)
    assert result.threads == torch.get_num_threads()


def test_images_are_cycled_through_and_large_batches_filled_by_repetition(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "BUDGET_SECONDS", 0)
    model = Recorder()
    measure_latency(model, IMAGES)
    singles = [int(call[0, 0, 0, 0]) for call in model.calls if len(call) == 1]
    assert singles == [0, 1, 2, 3, 4, 0]
    assert model.calls[-1][:7, 0, 0, 0].tolist() == [0, 1, 2, 3, 4, 0, 1]


def test_times_are_per_image_in_milliseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "interleaved_seconds", lambda *_, **__: [[0.1, 0.2, 0.3]])
    result = measure_latency(Recorder(), IMAGES)
    assert result.single.p50_ms == pytest.approx(200)
    assert result.single.p95_ms == pytest.approx(290)
    assert result.single.images_per_second == pytest.approx(5)
    assert result.batched.p50_ms == pytest.approx(200 / 256)
    assert result.batched.images_per_second == pytest.approx(5 * 256)


@pytest.mark.usefixtures("clock")
def test_every_batch_size_is_measured() -> None:
    ((single, four),) = benchmark([Recorder(0.2)], IMAGES, SETTINGS)
    assert (single.batch_size, four.batch_size, four.calls) == (1, 4, 3)
    assert single.p50_ms == pytest.approx(200)
    assert four.p50_ms == pytest.approx(50)
    assert four.p99_ms == pytest.approx(50)
    assert four.images_per_second == pytest.approx(20)


def test_percentiles_are_in_order_of_size(monkeypatch: pytest.MonkeyPatch) -> None:
    times = [[0.001 * (i + 1) for i in range(100)]]
    monkeypatch.setattr(module, "interleaved_seconds", lambda *_, **__: times)
    ((point, _),) = benchmark([nn.Identity()], IMAGES, SETTINGS)
    assert point.p50_ms == pytest.approx(50.5)
    assert point.p95_ms == pytest.approx(95.05)
    assert point.p99_ms == pytest.approx(99.01)


def test_thread_counts_are_set_and_restored() -> None:
    before, model = torch.get_num_threads(), Recorder()
    settings = BenchmarkSettings((1, 2), (1,), 0, 0, 0)
    (points,) = benchmark([model], IMAGES, settings)
    assert model.threads == [1] * 3 + [2] * 3
    assert [point.threads for point in points] == [1, 2]
    assert torch.get_num_threads() == before


def test_default_settings_contain_what_tables_show() -> None:
    settings = default_settings()
    assert set(TABLE_BATCH_SIZES) <= set(settings.batch_sizes) == set(BATCH_SIZES)
    assert settings.threads[0] == 1
    assert settings.threads[-1] == torch.get_num_threads()
