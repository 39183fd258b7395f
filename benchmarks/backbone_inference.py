"""Throughput of the frozen ResNet50 backbone: the optimised extractor against a plain loop.

    python -m benchmarks.backbone_inference [--sizes 32 64 224] [--rounds 5] [--device cuda]

The network has random weights, which do not affect the time.
"""

import argparse
import copy
from collections.abc import Callable, Sequence
from statistics import median

import torch
from torch import Tensor, nn

from benchmarks.harness import median_ratio, print_machine, time_interleaved, write_result
from mnist_lightning.models.feature_extraction import FeatureExtractor, default_batch_size
from mnist_lightning.models.resnet50 import ResNet50

PLAIN = "fp32, NCHW"
SHIPPED = "bf16, channels-last, BatchNorm folded (shipped)"


class GrayConvolution(nn.Module):
    """The first convolution with its three input channels merged into one, exactly.

    The mean cannot become a bias, because zero padding follows the normalisation. But the
    convolution is affine: it equals that of the scaled gray pixels plus that of a black image.

    Args:
        convolution: The 7x7 convolution over three channels.
        black: ``(1, 3, S, S)``, the normalised black image.
        std: ``(1, 3, 1, 1)``.
    """

    def __init__(self, convolution: nn.Conv2d, black: Tensor, std: Tensor) -> None:
        super().__init__()
        self.gray = nn.Conv2d(1, 64, 7, stride=2, padding=3, bias=False)
        with torch.no_grad():
            self.gray.weight.copy_((convolution.weight / std).sum(1, keepdim=True))
            self.register_buffer("black", convolution(black))

    def forward(self, gray: Tensor) -> Tensor:
        """Map ``(N, 1, S, S)``, 0..1, to ``(N, 64, S/2, S/2)``."""
        maps: Tensor = self.gray(gray) + self.black
        return maps


def gray_folded(network: ResNet50) -> ResNet50:
    """Return a copy of a network whose first convolution takes one channel."""
    folded = copy.deepcopy(network)
    black = folded.preprocess(
        torch.zeros(1, 1, 28, 28, dtype=torch.uint8, device=network.mean.device)
    )
    folded.backbone.conv1 = GrayConvolution(folded.backbone.conv1, black, folded.std)
    folded.mean = torch.zeros(1, 1, 1, 1, device=black.device)
    folded.std = torch.ones(1, 1, 1, 1, device=black.device)
    return folded


def plain_loop(
    network: ResNet50, images: Tensor, *, bf16: bool = False, batch_size: int = 10**6
) -> Tensor:
    """Run the network without optimisation, as a loop over a DataLoader would."""
    device = network.std.device
    rows = []
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        for start in range(0, len(images), batch_size):
            batch = images[start : start + batch_size].to(device)
            rows.append(network.features(batch).cpu())
    return torch.cat(rows)


def variants(size: int, images: Tensor, device: str) -> dict[str, Callable[[], object]]:
    """Return the variants for one image size; each call computes the features once."""
    torch.manual_seed(0)
    network = ResNet50(image_size=size).to(device).eval()
    last = copy.deepcopy(network).to(memory_format=torch.channels_last)
    gray = gray_folded(network).to(memory_format=torch.channels_last)
    difference = (plain_loop(gray, images[:2]) - plain_loop(network, images[:2])).abs().max()
    assert difference < 1e-4, f"folding the gray channels changed the features by {difference}"
    batch = len(images)
    folded_fp32 = FeatureExtractor(network, "32-true", batch)
    shipped = FeatureExtractor(network, "bf16-mixed", batch)
    return {
        PLAIN: lambda: plain_loop(network, images),
        "fp32, NCHW, 16 images a batch": lambda: plain_loop(network, images, batch_size=16),
        "fp32, channels-last": lambda: plain_loop(last, images),
        "fp32, channels-last, BatchNorm folded": lambda: list(folded_fp32(images)),
        "bf16, channels-last": lambda: plain_loop(last, images, bf16=True),
        "bf16, channels-last, gray folded": lambda: plain_loop(gray, images, bf16=True),
        SHIPPED: lambda: list(shipped(images)),
    }


def measure(size: int, rounds: int, device: str) -> dict[str, dict[str, float]]:
    """Time all variants at one image size and print a table.

    Returns:
        For each variant the images per second (median) and the speed-up over the plain loop.
    """
    count = default_batch_size(size, torch.device("cpu"))
    images = torch.randint(0, 256, (count, 1, 28, 28), dtype=torch.uint8)
    seconds = time_interleaved(variants(size, images, device), rounds)
    print(f"\n{size} pixels, {count} images a batch, median of {rounds}")
    rows = {}
    for name, times in seconds.items():
        rows[name] = {
            "images_per_second": count / median(times),
            "times_plain": median_ratio(seconds[PLAIN], times),
        }
        print(f"  {name:50}{rows[name]['images_per_second']:9,.0f} images/s", end="")
        print(f"{rows[name]['times_plain']:7.2f} x")
    return rows


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print and record."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[32, 64, 224])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args(argv)
    print_machine()
    results = {
        str(size): measure(size, arguments.rounds, arguments.device) for size in arguments.sizes
    }
    write_result(
        f"backbone_inference_{arguments.device}",
        {"device": arguments.device, "rounds": arguments.rounds, "image_sizes": results},
    )


if __name__ == "__main__":
    main()
