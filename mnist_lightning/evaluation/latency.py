"""Inference time of networks on the CPU, and the timing loop behind it."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle, product

import numpy as np
import torch
from torch import Tensor, nn

from mnist_lightning.files.limits import Count, NotNegative

# TorchScript's profiling executor optimises a graph during its first two calls with a shape.
WARMUP_CALLS = 3
MINIMUM_CALLS = 3
THROUGHPUT_BATCH = 256
#: Seconds for the timed calls of a single model, half for each batch size.
BUDGET_SECONDS = 4.0

#: Batch sizes of a comparison.
BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
# Those that tables show: a user waits for one answer; a small server's queue; a whole dataset.
TABLE_BATCH_SIZES = (1, 32, 256)
SECONDS_PER_POINT = 0.8
# Short turns mix well, and this is still hundreds of calls of the small network.
TURN_SECONDS = 0.05


@dataclass(frozen=True)
class BatchLatency:
    """Timed calls of a model with batches of one size.

    Attributes:
        batch_size: Images per call.
        calls: Number of timed calls.
        p50_ms: Median over the calls of milliseconds per image (a call's time divided by
            ``batch_size``).
        p95_ms: 95th percentile of the same.
        images_per_second: ``1000 / p50_ms``.
    """

    batch_size: Count
    calls: Count
    p50_ms: NotNegative
    p95_ms: NotNegative
    images_per_second: NotNegative


@dataclass(frozen=True)
class Latency:
    """Inference time of the exported model on the CPU, from pixels to logits.

    Attributes:
        threads: Number of threads that torch used within one operation.
        warmup_calls: Number of untimed calls before each of the two measurements.
        single: One image per call, as when a user waits for the answer.
        batched: 256 images per call, as when many images are classified at once.
    """

    threads: Count
    warmup_calls: Count
    single: BatchLatency
    batched: BatchLatency


@dataclass(frozen=True)
class LatencyPoint:
    """Timed calls of one model with one batch size and thread count.

    Attributes:
        threads: Number of threads that torch used within one operation.
        batch_size: Images per call.
        calls: Number of timed calls.
        p50_ms: Median over the calls of milliseconds per image (a call's time divided by
            ``batch_size``).
        p95_ms: 95th percentile of the same.
        p99_ms: 99th percentile of the same; with fewer than a hundred calls nearly the maximum.
        images_per_second: ``1000 / p50_ms``.
    """

    threads: Count
    batch_size: Count
    calls: Count
    p50_ms: NotNegative
    p95_ms: NotNegative
    p99_ms: NotNegative
    images_per_second: NotNegative


@dataclass(frozen=True)
class BenchmarkSettings:
    """How models are timed.

    Attributes:
        threads: Thread counts.
        batch_sizes: Numbers of images per call.
        warmup_calls: Number of untimed calls of each model before each point.
        seconds_per_point: Seconds for the timed calls of one model at one point; at least three
            calls are made, however long they take.
        turn_seconds: Seconds for which a model is called before the next one is.
    """

    threads: tuple[int, ...]
    batch_sizes: tuple[int, ...]
    warmup_calls: Count
    seconds_per_point: NotNegative
    turn_seconds: NotNegative


def default_settings(seconds_per_point: float = SECONDS_PER_POINT) -> BenchmarkSettings:
    """Return the settings of a comparison: with one thread, and with as many as torch uses."""
    return BenchmarkSettings(
        threads=tuple(sorted({1, torch.get_num_threads()})),
        batch_sizes=BATCH_SIZES,
        warmup_calls=WARMUP_CALLS,
        seconds_per_point=seconds_per_point,
        turn_seconds=TURN_SECONDS,
    )


def measure_latency(model: nn.Module, images: Tensor) -> Latency:
    """Time one model on the CPU with the current number of threads, at batch sizes 1 and 256.

    Args:
        model: A network on the CPU in eval mode, eager or TorchScript, uint8
            ``(N, 1, 28, 28)`` to float32 ``(N, 10)``.
        images: Real images, uint8, ``(N, 1, 28, 28)``, at least one. They are cycled through, so
            that no single image stays in the caches.

    Returns:
        The times. At least three calls are made for each batch size, so a network too slow for
        ``BUDGET_SECONDS`` runs on about 1,500 images, fewer than its evaluation took.
    """
    threads, sizes, budget = torch.get_num_threads(), (1, THROUGHPUT_BATCH), BUDGET_SECONDS / 2
    settings = BenchmarkSettings((threads,), sizes, WARMUP_CALLS, budget, turn_seconds=0)
    (points,) = benchmark([model], images, settings)
    single, batched = (
        BatchLatency(one.batch_size, one.calls, one.p50_ms, one.p95_ms, one.images_per_second)
        for one in points
    )
    return Latency(threads, WARMUP_CALLS, single, batched)


@torch.inference_mode()
def benchmark(
    models: Sequence[nn.Module], images: Tensor, settings: BenchmarkSettings
) -> list[tuple[LatencyPoint, ...]]:
    """Time models on the CPU, interleaved, at every thread count and batch size.

    Args:
        models: Networks on the CPU in eval mode, uint8 ``(N, 1, 28, 28)`` to ``(N, 10)``.
        images: Real images, uint8, ``(N, 1, 28, 28)``, at least one; cycled through.
        settings: Thread counts, batch sizes and times.

    Returns:
        For each model its points, by thread count and then batch size.
    """
    points: list[list[LatencyPoint]] = [[] for _ in models]
    before = torch.get_num_threads()
    try:
        for threads, batch_size in product(settings.threads, settings.batch_sizes):
            torch.set_num_threads(threads)
            batches = _batches(images, batch_size)
            timed = interleaved_seconds(
                [partial(_call_next, model, cycle(batches)) for model in models],
                budget=settings.seconds_per_point,
                turn=settings.turn_seconds,
                warmup=settings.warmup_calls,
            )
            for own, seconds in zip(points, timed, strict=True):
                own.append(_point(threads, batch_size, seconds))
    finally:
        torch.set_num_threads(before)
    return [tuple(own) for own in points]


def interleaved_seconds(
    calls: Sequence[Callable[[], object]],
    *,
    budget: float = 0.0,
    minimum: int = MINIMUM_CALLS,
    turn: float = 0.0,
    pause: float = 0.0,
    warmup: int = 1,
) -> list[list[float]]:
    """Time calls, alternating between them.

    A machine drifts: it warms up, lowers its clock, gets a neighbour. Alternating calls share that
    drift, whereas one after the other each would get its own.

    Args:
        calls: What to time.
        budget: Seconds of timed calls of each, after which it is not called any more.
        minimum: Number of timed calls of each, even if they exceed the budget.
        turn: Seconds for which one is called before the next one is; 0 for one call.
        pause: Seconds to sleep before each turn, in which the threads of the call before fall
            asleep: some runtimes let theirs spin for a while, in case there is more to do.
        warmup: Number of untimed calls of each before all others.

    Returns:
        Wall time of every call in seconds, for each of ``calls``. Without a budget and a turn the
        k-th times of all belong to the same round.
    """
    for call in calls:
        for _ in range(warmup):
            call()
    seconds: list[list[float]] = [[] for _ in calls]
    spent = [0.0] * len(calls)
    pending: Sequence[int] = range(len(calls))
    while pending:
        for place in pending:
            if pause:
                time.sleep(pause)
            begin = time.perf_counter()
            while True:
                start = time.perf_counter()
                calls[place]()
                end = time.perf_counter()
                seconds[place].append(end - start)
                if end - begin >= turn:
                    break
            spent[place] += end - begin
        pending = [p for p in pending if spent[p] < budget or len(seconds[p]) < minimum]
    return seconds


def _call_next(model: nn.Module, batches: Iterator[Tensor]) -> None:
    model(next(batches))


def _batches(images: Tensor, batch_size: int) -> list[Tensor]:
    positions = torch.arange(max(len(images) // batch_size, 1) * batch_size) % len(images)
    return list(torch.split(images[positions], batch_size))


def _point(threads: int, batch_size: int, seconds: list[float]) -> LatencyPoint:
    milliseconds = 1000 * np.array(seconds) / batch_size
    p50, p95, p99 = np.percentile(milliseconds, [50, 95, 99]).tolist()
    return LatencyPoint(threads, batch_size, len(seconds), p50, p95, p99, 1000 / p50)
