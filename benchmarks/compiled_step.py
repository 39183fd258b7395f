"""A training step of the custom CNN through ``torch.compile``, against the same step as it is.

    python -m benchmarks.compiled_step [--rounds 7] [--steps 30]

On a CPU, ``torch.compile`` needs a C++ compiler. Both variants begin with the same weights and see
the same images; the relative difference of their first losses shows how far they compute the same.
The time that compiling takes is that of the first step, less a usual one.
"""

import argparse
import time
from collections.abc import Callable
from copy import deepcopy
from statistics import median

import torch
from torch import nn

from benchmarks.harness import (
    median_ratio,
    print_machine,
    print_table,
    time_interleaved,
    write_result,
)
from benchmarks.training_step import training_step
from mnist_lightning.models.cnn import CNN
from mnist_lightning.training.precision import choose_precision

BATCH_SIZE = 128
EAGER, COMPILED = "as it is", "torch.compile"


def main(argv: list[str] | None = None) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7, help="interleaved rounds (default: 7)")
    parser.add_argument("--steps", type=int, default=30, help="steps of a round (default: 30)")
    arguments = parser.parse_args(argv)
    print_machine()
    precision = choose_precision("cpu")[0]
    torch.manual_seed(0)
    # Without dropout, so that both variants compute the same.
    original = CNN(dropout=0.0).to(memory_format=torch.channels_last).train()
    steps: dict[str, Callable[[], float]] = {}
    for name in (EAGER, COMPILED):
        network: nn.Module = deepcopy(original)
        if name == COMPILED:
            network = torch.compile(network)
        torch.manual_seed(1)  # the same images
        steps[name] = training_step(network, BATCH_SIZE)
    first, losses = {}, {}
    for name, step in steps.items():
        start = time.perf_counter()
        losses[name] = step()
        first[name] = time.perf_counter() - start
    rounds = time_interleaved(
        {
            name: lambda step=step: [step() for _ in range(arguments.steps)]
            for name, step in steps.items()
        },
        arguments.rounds,
    )
    milliseconds = {name: 1000 * median(times) / arguments.steps for name, times in rounds.items()}
    speed_up = median_ratio(rounds[EAGER], rounds[COMPILED])
    compiling = first[COMPILED] - milliseconds[COMPILED] / 1000
    difference = abs(losses[COMPILED] / losses[EAGER] - 1)
    print_table(
        ["Training step of the CNN", "ms", "Speed-up"],
        [
            [EAGER, f"{milliseconds[EAGER]:.1f}", "1.00"],
            [COMPILED, f"{milliseconds[COMPILED]:.1f}", f"{speed_up:.2f}"],
        ],
    )
    print(
        f"\n{precision}; compiling took {compiling:.0f} s; the first loss differs by "
        f"{difference:.1e} of itself"
    )
    write_result(
        "compiled_step",
        {
            "batch_size": BATCH_SIZE,
            "precision": precision,
            "steps_a_round": arguments.steps,
            "seconds": rounds,
            "speed_up": speed_up,
            "compile_seconds": compiling,
            "relative_difference_of_the_first_loss": difference,
        },
    )


if __name__ == "__main__":
    main()
