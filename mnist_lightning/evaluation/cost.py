"""What a model costs besides time: arithmetic, memory, file size."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from mnist_lightning.evaluation.peak_memory import PeakMemory, measure_peak_memory

MEMORY_BATCH = 256


@dataclass(frozen=True)
class Parameters:
    """Size of the network.

    Attributes:
        total: Number of parameters.
        trainable: Number of those that training could change.
    """

    total: int
    trainable: int


@dataclass(frozen=True)
class Cost:
    """Size and demands of an exported model.

    Attributes:
        parameters: Number of parameters of the network it was exported from.
        multiply_accumulates: Multiplications followed by an addition for one image, in the
            convolutions and matrix products of the exported file.
        file_bytes: Size of the exported file.
        memory: Peak memory of a process that uses it; null where the system does not tell.
    """

    parameters: Parameters
    multiply_accumulates: int
    file_bytes: int
    memory: PeakMemory | None


def measure_cost(
    model: nn.Module, path: Path, parameters: Parameters, memory: PeakMemory | None
) -> Cost:
    """Measure the cost of an exported model.

    Args:
        model: The file, loaded: uint8 ``(N, 1, 28, 28)`` to ``(N, 10)``, on the CPU.
        path: The file.
        parameters: What the record says about the network.
        memory: As from ``measure_memory``.

    Returns:
        The cost.
    """
    return Cost(
        parameters=parameters,
        multiply_accumulates=count_multiply_accumulates(model),
        file_bytes=path.stat().st_size,
        memory=memory,
    )


def measure_memory(paths: Sequence[Path]) -> list[PeakMemory | None]:
    """Measure the peak memory of exported models, each in a process of its own.

    Args:
        paths: TorchScript files.

    Returns:
        Their peaks, in order. The processes run at once: they mostly wait for PyTorch to load,
        and memory, unlike time, does not suffer from a neighbour.
    """
    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda path: measure_peak_memory(path, MEMORY_BATCH), paths))


def count_multiply_accumulates(model: nn.Module) -> int:
    """Count what a model multiplies and adds for one image.

    torch's own counter watches the operators that really run, also those of a TorchScript file,
    so that no class has to be imported to rebuild the network.

    Args:
        model: uint8 ``(N, 1, 28, 28)`` to ``(N, 10)``, on the CPU.

    Returns:
        Half of the counted floating-point operations: each pair is one multiply-accumulate.
        Element-wise operations and pooling are not counted.
    """
    image = torch.zeros(1, 1, 28, 28, dtype=torch.uint8)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(image)
    return int(counter.get_total_flops()) // 2
