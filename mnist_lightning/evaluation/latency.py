"""How long the exported model takes on the CPU."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle

import numpy as np
import torch
from torch import Tensor, nn

THROUGHPUT_BATCH = 256
# TorchScript's profiling executor optimises a graph during its first two calls with a shape.
WARMUP_CALLS = 3
MINIMUM_CALLS = 3


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


def measure_latency(model: nn.Module, images: Tensor, budget_seconds: float = 4.0) -> Latency:
    """Time a model on the CPU, one image at a time and 256 at a time.

    Each of the two measurements gets half of the budget and makes at least three timed calls
    after its warm-up. A network too slow for the budget is thus run on about 1,500 images, less
    than the evaluation on the validation and test images has already taken.

    Args:
        model: A network on the CPU in eval mode, eager or TorchScript, uint8
            ``(N, 1, 28, 28)`` to float32 ``(N, 10)``.
        images: Real images, uint8, ``(N, 1, 28, 28)``, at least one. They are used in turn, so
            that no single image stays in the caches, and again from the first when they run out.
        budget_seconds: Time for all timed calls together.

    Returns:
        The times.
    """
    singles = [image.unsqueeze(0) for image in images]
    positions = torch.arange(THROUGHPUT_BATCH) % len(images)
    return Latency(
        threads=torch.get_num_threads(),
        warmup_calls=WARMUP_CALLS,
        single=_measure(model, cycle(singles), budget_seconds / 2),
        batched=_measure(model, cycle([images[positions]]), budget_seconds / 2),
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
