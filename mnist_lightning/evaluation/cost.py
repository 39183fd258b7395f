"""What a model costs besides time: arithmetic, memory, file size."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from mnist_lightning.data.digits import SIDE
from mnist_lightning.evaluation.peak_memory import PeakMemory, measure_peak_memory
from mnist_lightning.files.limits import Count

MEMORY_BATCH = 256


@dataclass(frozen=True)
class Parameters:
    """Size of the network.

    Attributes:
        total: Number of parameters.
        trainable: Number of parameters that training could change.
    """

    total: Count
    trainable: Count


@dataclass(frozen=True)
class Cost:
    """Size and computational cost of an exported model.

    Attributes:
        parameters: Number of parameters of the network it was exported from.
        multiply_accumulates: Multiplications followed by an addition for one image, in the
            convolutions and matrix products of the exported file.
        file_bytes: Size of the exported file.
        memory: Peak memory of a process that uses it; null if the system does not report it.
    """

    parameters: Parameters
    multiply_accumulates: Count
    file_bytes: Count
    memory: PeakMemory | None


def measure_cost(
    model: nn.Module, path: Path, parameters: Parameters, memory: PeakMemory | None
) -> Cost:
    """Measure the cost of an exported model.

    Args:
        model: The file, loaded: uint8 ``(N, 1, 28, 28)`` to ``(N, 10)``, on the CPU.
        path: The file.
        parameters: The network's size, from the record.
        memory: The result of ``measure_memory`` for the file.

    Returns:
        The cost.
    """
    return Cost(parameters, count_multiply_accumulates(model), path.stat().st_size, memory)


def measure_memory(paths: Sequence[Path]) -> list[PeakMemory | None]:
    """Measure the peak memory of exported models, each in its own process.

    The processes run at the same time: they mostly wait for PyTorch to load, and memory, unlike
    time, does not suffer from a neighbour.

    Args:
        paths: TorchScript or .pt2 files.

    Returns:
        Their peaks, in order.
    """
    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda path: measure_peak_memory(path, MEMORY_BATCH), paths))


def count_multiply_accumulates(model: nn.Module) -> int:
    """Count the multiply-accumulates of a model for one image.

    torch's counter observes the operators that are executed, in exported files too, so the
    network need not be rebuilt from its class.

    Args:
        model: uint8 ``(N, 1, 28, 28)`` to ``(N, 10)``, on the CPU.

    Returns:
        Half of the counted floating-point operations, because a multiplication and an addition are
        one multiply-accumulate. Element-wise operations and pooling are not counted.
    """
    image = torch.zeros(1, 1, SIDE, SIDE, dtype=torch.uint8)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(image)
    return int(counter.get_total_flops()) // 2
