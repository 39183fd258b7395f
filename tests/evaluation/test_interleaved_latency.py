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
)

IMAGES = torch.arange(5, dtype=torch.uint8).reshape(5, 1, 1, 1).expand(5, 1, 28, 28)
SETTINGS = BenchmarkSettings((1,), (1, 4), 3, seconds_per_point=0, turn_seconds=0)


class Recorder(nn.Module):
    """Notes who was called with what, and takes a set time by a clock of its own."""

    calls: list[tuple[str, int, int]]

    def __init__(self, name: str, calls: list[tuple[str, int, int]], seconds: float = 0) -> None:
        super().__init__()
        self.name, self.calls, self.seconds = name, calls, seconds

    def forward(self, images: Tensor) -> Tensor:
        self.calls.append((self.name, len(images), torch.get_num_threads()))
        Clock.now += self.seconds
        return torch.zeros(len(images), 10)


class Clock:
    now = 0.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    Clock.now = 0.0
    monkeypatch.setattr(module.time, "perf_counter", lambda: Clock.now)
    yield
    Clock.now = 0.0


@pytest.mark.usefixtures("clock")
def test_models_take_turns_after_their_warm_up() -> None:
    calls: list[tuple[str, int, int]] = []
    models = [Recorder("A", calls, 1.0), Recorder("B", calls, 2.0)]
    interleaved_seconds(models, [IMAGES[:1]], SETTINGS)
    assert "".join(name for name, *_ in calls) == "AAABBB" + "ABABAB"


@pytest.mark.usefixtures("clock")
def test_each_model_gets_its_time_and_its_own_results() -> None:
    calls: list[tuple[str, int, int]] = []
    settings = BenchmarkSettings((1,), (1,), 0, seconds_per_point=8, turn_seconds=2)
    quick, slow = interleaved_seconds(
        [Recorder("A", calls, 1.0), Recorder("B", calls, 4.0)], [IMAGES[:1]], settings
    )
    assert quick == [1.0] * 8
    # Three calls at least, although two would fill the time.
    assert slow == [4.0] * 3
    assert "".join(name for name, *_ in calls) == "AAB" * 3 + "AA"


@pytest.mark.usefixtures("clock")
def test_times_are_per_image_and_every_point_is_measured() -> None:
    calls: list[tuple[str, int, int]] = []
    ((single, four),) = benchmark([Recorder("A", calls, 0.2)], IMAGES, SETTINGS)
    assert (single.batch_size, four.batch_size, four.calls) == (1, 4, 3)
    assert single.p50_ms == pytest.approx(200)
    assert four.p50_ms == pytest.approx(50)
    assert four.p99_ms == pytest.approx(50)
    assert four.images_per_second == pytest.approx(20)


def test_percentiles_are_in_order_of_size(monkeypatch: pytest.MonkeyPatch) -> None:
    times = [[0.001 * (i + 1) for i in range(100)]]
    monkeypatch.setattr(module, "interleaved_seconds", lambda *_: times)
    ((point, _),) = benchmark([nn.Identity()], IMAGES, SETTINGS)
    assert point.p50_ms == pytest.approx(50.5)
    assert point.p95_ms == pytest.approx(95.05)
    assert point.p99_ms == pytest.approx(99.01)


def test_thread_counts_are_set_and_given_back() -> None:
    before = torch.get_num_threads()
    calls: list[tuple[str, int, int]] = []
    settings = BenchmarkSettings((1, 2), (1,), 0, 0, 0)
    (points,) = benchmark([Recorder("A", calls)], IMAGES, settings)
    assert [threads for *_, threads in calls] == [1] * 3 + [2] * 3
    assert [point.threads for point in points] == [1, 2]
    assert torch.get_num_threads() == before


def test_large_batches_are_filled_by_repetition() -> None:
    calls: list[tuple[str, int, int]] = []
    benchmark([Recorder("A", calls)], IMAGES, BenchmarkSettings((1,), (12,), 0, 0, 0))
    assert {size for _, size, _ in calls} == {12}


def test_default_settings_hold_what_tables_show() -> None:
    settings = default_settings()
    assert set(TABLE_BATCH_SIZES) <= set(settings.batch_sizes) == set(BATCH_SIZES)
    assert settings.threads[0] == 1
    assert settings.threads[-1] == torch.get_num_threads()
