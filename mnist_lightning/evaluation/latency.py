"""How long the exported model takes on the CPU."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle

import numpy as np
import torch
from torch import Tensor, nn

THROUGHPUT_BATCH = 256
# TorchScript's profiling executor optimises a graph during its first two calls with a shape.
WARMUP_CALLS = 3
MINIMUM_CALLS = 3
#: Time for the timed calls of one exported model.
BUDGET_SECONDS = 4.0


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

    batch_size: int
    calls: int
    p50_ms: float
    p95_ms: float
    images_per_second: float


@dataclass(frozen=True)
class Latency:
    """Inference time of the exported model on the CPU, from pixels to logits.

    Attributes:
        threads: Threads that torch used within one operation.
        warmup_calls: Calls that were made and not timed before each of the two measurements.
        single: One image a call, as when somebody waits for the answer.
        batched: 256 images a call, as when many images are at hand.
    """

    threads: int
    warmup_calls: int
    single: BatchLatency
    batched: BatchLatency


def measure_latency(
    model: nn.Module, images: Tensor, budget_seconds: float | None = None
) -> Latency:
    """Time a model on the CPU, one image at a time and 256 at a time.

    Each of the two measurements gets half of the budget and makes at least three timed calls
    after its warm-up. A network too slow for the budget is thus run on about 1,500 images, less
    than the evaluation on the validation and test images has already taken.

    Args:
        model: A network on the CPU in eval mode, eager or TorchScript, uint8
            ``(N, 1, 28, 28)`` to float32 ``(N, 10)``.
        images: Real images, uint8, ``(N, 1, 28, 28)``, at least one. They are used in turn, so
            that no single image stays in the caches, and again from the first when they run out.
        budget_seconds: Time for all timed calls together; None for ``BUDGET_SECONDS``.

    Returns:
        The times.
    """
    budget = BUDGET_SECONDS if budget_seconds is None else budget_seconds
    singles = [image.unsqueeze(0) for image in images]
    positions = torch.arange(THROUGHPUT_BATCH) % len(images)
    return Latency(
        threads=torch.get_num_threads(),
        warmup_calls=WARMUP_CALLS,
        single=_measure(model, cycle(singles), budget / 2),
        batched=_measure(model, cycle([images[positions]]), budget / 2),
    )


def _measure(model: nn.Module, batches: Iterator[Tensor], budget: float) -> BatchLatency:
    with torch.inference_mode():
        for _ in range(WARMUP_CALLS):
            batch = next(batches)
            model(batch)
        seconds = call_seconds(lambda: model(next(batches)), budget)
    milliseconds = 1000 * np.array(seconds) / len(batch)
    p50, p95 = np.percentile(milliseconds, [50, 95]).tolist()
    return BatchLatency(
        batch_size=len(batch),
        calls=len(seconds),
        p50_ms=p50,
        p95_ms=p95,
        images_per_second=1000 / p50,
    )


def call_seconds(call: Callable[[], object], budget: float) -> list[float]:
    """Time a call again and again until a time budget is spent.

    Args:
        call: What to time.
        budget: Seconds after which no further call is begun, once three have been made.

    Returns:
        Wall time of each call in seconds, at least three.
    """
    seconds: list[float] = []
    begin = time.perf_counter()
    while len(seconds) < MINIMUM_CALLS or time.perf_counter() - begin < budget:
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return seconds


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
