"""Inference speed of the exported CNN on the CPU, for each file format and the eager network.

    python -m benchmarks.cnn_inference [--data_dir data] [--batches 1 8 32 256] [--model.KEY VALUE]

The network is that of `scripts/train.py --model cnn`, trained on the installed 5,000 images, so
that the parity of its predictions means something. Files that training and export write are marked
as shipped; the others show the effect of single optimisations, including rejected ones.
Times are from pixels to logits, with one thread and with all threads, also for ONNX Runtime.
Further options are those of the training, e.g. --model.widths.
"""

import argparse
import math
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.harness import (
    median_ratio,
    print_machine,
    print_table,
    time_interleaved,
    write_figure,
    write_result,
)
from benchmarks.inference_figure import plot_throughput
from mnist_lightning.commands import train
from mnist_lightning.data.digits import Digits
from mnist_lightning.data.sources import load_dataset
from mnist_lightning.evaluation.inference import predict_logits
from mnist_lightning.evaluation.latency import WARMUP_CALLS
from mnist_lightning.evaluation.parity import measure_parity
from mnist_lightning.export.bfloat16 import export_bfloat16
from mnist_lightning.export.int8 import quantize_onnx
from mnist_lightning.export.loading import load_network
from mnist_lightning.export.metadata import Metadata
from mnist_lightning.export.onnx import export_onnx, missing_packages
from mnist_lightning.export.program import export_program
from mnist_lightning.export.torchscript import export_torchscript
from mnist_lightning.models.cnn import CNN
from mnist_lightning.records.artefacts import BASELINE, WEIGHTS

EAGER = "eager"
TORCHSCRIPT = "TorchScript (shipped)"
PROGRAM = "torch.export, .pt2 (shipped)"
ONNX = "ONNX Runtime (shipped)"
INT8 = "ONNX Runtime, int8 (shipped where faster)"
BFLOAT16 = "TorchScript, bfloat16 (shipped where faster)"
SHIPPED = (TORCHSCRIPT, BFLOAT16, PROGRAM, ONNX, INT8)
BLOCK_SECONDS = 0.05  # of calls that are timed together
PAUSE_SECONDS = 0.02
METADATA = Metadata(
    "Custom CNN", "MNIST", 0.0, 1, None, None, None, "benchmarks.cnn_inference", None, 0
)

Models = Mapping[str, nn.Module]


def train_network(folder: Path, options: Sequence[str]) -> CNN:
    """Train the CNN on the embedded images, and read its calibrated weights."""
    settings = ["--data.source", "mnist5k", "--trainer.accelerator", "cpu", "--quiet"]
    files = ["--export_formats", "[]", "--output_dir", str(folder)]
    if train.main(["--model", "cnn", *settings, *files, *options]) != 0:
        raise SystemExit("the training failed")
    network = load_network(folder / f"{BASELINE}{WEIGHTS}")
    assert isinstance(network, CNN)
    return network


def write_files(network: CNN, folder: Path, calibration: Tensor) -> dict[str, Path]:
    """Write the network in every format, as training and `scripts/export.py` do.

    Args:
        network: The network.
        folder: Folder of the files.
        calibration: uint8 ``(N, 1, 28, 28)``, training images for int8.

    Returns:
        The files by variant; ONNX files only if its packages are installed.
    """
    names = {TORCHSCRIPT: "cnn.pt", PROGRAM: "cnn.pt2", BFLOAT16: "cnn_bfloat16.pt"}
    files = {variant: folder / name for variant, name in names.items()}
    export_torchscript(network, files[TORCHSCRIPT], calibration[:1], METADATA)
    export_program(network, files[PROGRAM], METADATA)
    export_bfloat16(network, files[BFLOAT16], METADATA)
    if missing_packages():
        print(f"without ONNX Runtime: {', '.join(missing_packages())} not installed")
        return files
    files |= {ONNX: folder / "cnn.onnx", INT8: folder / "cnn_int8.onnx"}
    export_onnx(network, files[ONNX], METADATA)
    quantize_onnx(files[ONNX], files[INT8], calibration)
    return files


def load_models(network: CNN, files: Mapping[str, Path]) -> dict[str, nn.Module]:
    """Load the files and build the other variants, for the current number of threads."""
    plain = deepcopy(network).to(memory_format=torch.contiguous_format)
    last = deepcopy(network).to(memory_format=torch.channels_last)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is deprecated upstream
        scripted = {
            "TorchScript, not frozen": torch.jit.script(plain),
            "TorchScript, frozen, not channels_last": torch.jit.freeze(torch.jit.script(plain)),
            "TorchScript, optimize_for_inference (cannot be saved)": (
                torch.jit.optimize_for_inference(torch.jit.script(plain))
            ),
        }
    shipped = {name: load_network(path) for name, path in files.items()}
    return {EAGER: plain, "eager, channels_last": last, **scripted, **shipped}


def measure_files(models: Models, test: Digits) -> dict[str, dict[str, float]]:
    """Compare the logits of all models with those of the eager network, and print a table."""
    expected = predict_logits(models[EAGER], test.images)
    result, rows = {}, []
    for name, model in models.items():
        logits = predict_logits(model, test.images)
        parity = measure_parity(name, expected, logits)
        accuracy = (logits.argmax(1) == test.labels).float().mean().item()
        result[name] = {**asdict(parity), "accuracy": accuracy}
        difference, agreement = f"{parity.max_abs_difference:.1e}", f"{parity.argmax_agreement:.2%}"
        rows.append([name, difference, agreement, f"{accuracy:.2%}"])
    header = [f"{len(test):,} test images", "largest difference of a logit", "same digit", "right"]
    print_table(header, rows)
    return result


def measure(models: Models, images: Tensor, rounds: int) -> dict[str, dict[str, float]]:
    """Time all models alternately with one batch, and print a table.

    Args:
        models: The models, including ``EAGER``.
        images: uint8 ``(N, 1, 28, 28)``, the batch.
        rounds: Timed blocks of calls per model.

    Returns:
        For each model the images per second and milliseconds per image (median over the blocks),
        and the speed-up over the eager network and over ONNX Runtime.
    """
    for model in models.values():
        for _ in range(WARMUP_CALLS):
            model(images)
    start = time.perf_counter()
    models[EAGER](images)
    calls = math.ceil(BLOCK_SECONDS / (time.perf_counter() - start))
    blocks = {name: repeat(model, images, calls) for name, model in models.items()}
    seconds = time_interleaved(blocks, rounds, PAUSE_SECONDS)
    result = {}
    for name, times in seconds.items():
        each = median(times) / calls / len(images)
        result[name] = {
            "images_per_second": 1 / each,
            "ms_per_image": 1000 * each,
            "times_eager": median_ratio(seconds[EAGER], times),
        }
        if ONNX in seconds:
            result[name]["times_onnx_runtime"] = median_ratio(seconds[ONNX], times)
    threads = torch.get_num_threads()
    print_table(
        [
            f"batch {len(images)}, threads {threads}",
            "images/s",
            "ms an image",
            "x eager",
            "x ONNX Runtime",
        ],
        [
            [
                name,
                f"{row['images_per_second']:,.0f}",
                f"{row['ms_per_image']:.4f}",
                f"{row['times_eager']:.2f}",
                f"{row.get('times_onnx_runtime', math.nan):.2f}",
            ]
            for name, row in result.items()
        ],
    )
    return result


def repeat(model: nn.Module, images: Tensor, calls: int) -> Callable[[], None]:
    """Return a function that calls a model several times: one small batch is too short to time."""

    def run() -> None:
        for _ in range(calls):
            model(images)

    return run


def print_best(cells: Sequence[dict[str, Any]]) -> None:
    """Print the fastest shipped file for each batch size and number of threads."""
    rows = []
    for cell in cells:
        shipped = {name: row for name, row in cell["models"].items() if name in SHIPPED}
        exact = {name: row for name, row in shipped.items() if name not in (INT8, BFLOAT16)}
        for kind, group in (("float32", exact), ("any", shipped)):
            name = max(group, key=lambda one: group[one]["images_per_second"])
            best = group[name]
            rows.append(
                [
                    f"{cell['batch']}",
                    f"{cell['threads']}",
                    kind,
                    name.partition(" (")[0],
                    f"{best['images_per_second']:,.0f}",
                    f"{best['times_eager']:.2f}",
                    f"{best.get('times_onnx_runtime', math.nan):.2f}",
                ]
            )
    header = ["batch", "threads", "of", "fastest shipped", "images/s", "x eager", "x ONNX Runtime"]
    print_table(header, rows)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print and record."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], allow_abbrev=False)
    parser.add_argument("--data_dir", type=Path, default=Path("data"))
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8, 32, 256])
    parser.add_argument("--rounds", type=int, default=15)
    arguments, more = parser.parse_known_args(argv)
    print_machine()
    all_threads = torch.get_num_threads()
    dataset = load_dataset(arguments.data_dir, download=False)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        network = train_network(folder, more)
        files = write_files(network, folder, dataset.train.images[:500])
        parity = measure_files(load_models(network, files), dataset.test)
        cells = []
        with torch.inference_mode():
            for threads in sorted({1, all_threads}):
                torch.set_num_threads(threads)
                models = load_models(network, files)
                for batch in arguments.batches:
                    images = dataset.test.images[torch.arange(batch) % len(dataset.test)]
                    measured = measure(models, images, arguments.rounds)
                    cells.append({"threads": threads, "batch": batch, "models": measured})
        torch.set_num_threads(all_threads)
    print_best(cells)
    write_result(
        "cnn_inference",
        {"rounds": arguments.rounds, "training_options": more, "parity": parity, "times": cells},
    )
    write_figure("cnn_inference", plot_throughput(cells, baseline=EAGER, shipped=SHIPPED))


if __name__ == "__main__":
    main()
