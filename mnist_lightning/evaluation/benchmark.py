"""CPU inference of several exported models, in turn, within one run.

A machine drifts: it warms up, lowers its clock, gets a neighbour. Models measured one after the
other would each meet another machine; here they take turns, A B A B, so that all meet the same.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle

import numpy as np
import torch
from torch import Tensor, nn

from mnist_lightning.evaluation.latency import MINIMUM_CALLS, WARMUP_CALLS

BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
# Those that tables show: somebody waits for one answer; a small server's queue; a whole data set.
TABLE_BATCH_SIZES = (1, 32, 256)
SECONDS_PER_POINT = 0.8
# Short turns mix well, and this is still hundreds of calls of the small network.
TURN_SECONDS = 0.05


@dataclass(frozen=True)
class LatencyPoint:
    """Timed calls of one model with one batch size and thread count.

    Attributes:
        threads: Threads that torch used within one operation.
        batch_size: Images per call.
        calls: Number of timed calls.
        p50_ms: Median over the calls of milliseconds per image (a call's time divided by
            ``batch_size``).
        p95_ms: 95th percentile of the same.
        p99_ms: 99th percentile of the same; with fewer than a hundred calls nearly the maximum.
        images_per_second: ``1000 / p50_ms``.
    """

    threads: int
    batch_size: int
    calls: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    images_per_second: float


@dataclass(frozen=True)
class BenchmarkSettings:
    """How all models were timed.

    Attributes:
        threads: Thread counts that were tried: one, and all that torch would use by itself.
        batch_sizes: Images per call that were tried.
        warmup_calls: Calls of each model that were not timed, before each point.
        seconds_per_point: Time for the timed calls of one model at one point; at least three
            calls were made however long they took.
        turn_seconds: How long a model was called before it was the next one's turn.
    """

    threads: tuple[int, ...]
    batch_sizes: tuple[int, ...]
    warmup_calls: int
    seconds_per_point: float
    turn_seconds: float


def default_settings(seconds_per_point: float = SECONDS_PER_POINT) -> BenchmarkSettings:
    """Return the settings for this process: one thread, and all that torch uses by itself."""
    return BenchmarkSettings(
        threads=tuple(sorted({1, torch.get_num_threads()})),
        batch_sizes=BATCH_SIZES,
        warmup_calls=WARMUP_CALLS,
        seconds_per_point=seconds_per_point,
        turn_seconds=TURN_SECONDS,
    )


def benchmark(
    models: Sequence[nn.Module], images: Tensor, settings: BenchmarkSettings
) -> list[tuple[LatencyPoint, ...]]:
    """Time models on the CPU in turn, at every thread count and batch size.

    Args:
        models: Networks on the CPU in eval mode, uint8 ``(N, 1, 28, 28)`` to ``(N, 10)``.
        images: Real images, uint8, ``(N, 1, 28, 28)``, at least one; used in turn, and again from
            the first when they run out.
        settings: What to try, and how long.

    Returns:
        For each model its points, by thread count and then batch size.
    """
    points: list[list[LatencyPoint]] = [[] for _ in models]
    with torch.inference_mode():
        for threads in settings.threads:
            with _threads(threads):
                for batch_size in settings.batch_sizes:
                    batches = _batches(images, batch_size)
                    timed = interleaved_seconds(models, batches, settings)
                    for own, seconds in zip(points, timed, strict=True):
                        own.append(_point(threads, batch_size, seconds))
    return [tuple(own) for own in points]


def interleaved_seconds(
    models: Sequence[nn.Module], batches: Sequence[Tensor], settings: BenchmarkSettings
) -> list[list[float]]:
    """Call models in turn until each has had its time.

    Args:
        models: Networks to time.
        batches: Inputs, used one after the other by each model alike.
        settings: Warm-up, time and length of a turn.

    Returns:
        Wall time of each call in seconds, for each model; at least three.
    """
    queues = [cycle(batches) for _ in models]
    for model, queue in zip(models, queues, strict=True):
        for _ in range(settings.warmup_calls):
            model(next(queue))
    seconds: list[list[float]] = [[] for _ in models]
    pending = set(range(len(models)))
    while pending:
        for place in sorted(pending):
            seconds[place] += _turn(models[place], queues[place], settings.turn_seconds)
            spent = sum(seconds[place])
            if spent >= settings.seconds_per_point and len(seconds[place]) >= MINIMUM_CALLS:
                pending.remove(place)
    return seconds


def _turn(model: nn.Module, queue: Iterator[Tensor], length: float) -> list[float]:
    seconds: list[float] = []
    begin = time.perf_counter()
    while not seconds or time.perf_counter() - begin < length:
        batch = next(queue)
        start = time.perf_counter()
        model(batch)
        seconds.append(time.perf_counter() - start)
    return seconds


def _batches(images: Tensor, batch_size: int) -> list[Tensor]:
    positions = torch.arange(max(len(images) // batch_size, 1) * batch_size) % len(images)
    return list(torch.split(images[positions], batch_size))


def _point(threads: int, batch_size: int, seconds: list[float]) -> LatencyPoint:
    milliseconds = 1000 * np.array(seconds) / batch_size
    p50, p95, p99 = np.percentile(milliseconds, [50, 95, 99]).tolist()
    return LatencyPoint(threads, batch_size, len(seconds), p50, p95, p99, 1000 / p50)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
