"""Fine-tuning steps of ResNet50 with small maps convolved as matrix products, against oneDNN's way.

    python -m benchmarks.small_maps [--rounds 5] [--sizes 32 48 64]

Both variants begin with the same weights and see the same images; the relative difference of their
first losses shows how far they compute the same.
"""

import argparse
from copy import deepcopy
from statistics import median
from typing import Any

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
from mnist_lightning.models.matrix_convolution import MatrixConvolution
from mnist_lightning.models.resnet50 import ResNet50
from mnist_lightning.training.precision import choose_precision

BATCH_SIZE = 128
PLAIN, PRODUCTS = "convolutions", "products where maps are small"


def measure(size: int, rounds: int) -> dict[str, Any]:
    """Time steps of both variants alternately at one resolution.

    Args:
        size: Side in pixels to which the digits are enlarged.
        rounds: Timed steps of each variant.
    """
    torch.manual_seed(0)
    network = ResNet50(size).to(memory_format=torch.channels_last).train()
    plain = deepcopy(network)
    for module in plain.modules():
        if isinstance(module, MatrixConvolution):
            module.__class__ = nn.Conv2d  # type: ignore[assignment]
    steps = {}
    for name, variant in ((PLAIN, plain), (PRODUCTS, network)):
        torch.manual_seed(1)  # the same images
        steps[name] = training_step(variant, BATCH_SIZE)
    losses = {name: step() for name, step in steps.items()}
    seconds = time_interleaved(steps, rounds)
    return {
        "image_size": size,
        "seconds": seconds,
        "speed_up": median_ratio(seconds[PLAIN], seconds[PRODUCTS]),
        "relative_difference_of_the_first_loss": abs(losses[PRODUCTS] / losses[PLAIN] - 1),
    }


def main(argv: list[str] | None = None) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="interleaved steps (default: 5)")
    parser.add_argument("--sizes", type=int, nargs="+", default=[32, 48, 64], metavar="PIXELS")
    arguments = parser.parse_args(argv)
    print_machine()
    measured = [measure(size, arguments.rounds) for size in arguments.sizes]
    print_table(
        ["pixels", f"{PLAIN}, s", f"{PRODUCTS}, s", "speed-up", "difference of the first loss"],
        [
            [
                f"{one['image_size']}",
                *(f"{median(times):.2f}" for times in one["seconds"].values()),
                f"{one['speed_up']:.2f}",
                f"{one['relative_difference_of_the_first_loss']:.1e}",
            ]
            for one in measured
        ],
    )
    precision = choose_precision("cpu")[0]
    write_result(
        "small_maps", {"batch_size": BATCH_SIZE, "precision": precision, "sizes": measured}
    )


if __name__ == "__main__":
    main()
