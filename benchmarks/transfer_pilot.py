"""Settings of the ResNet50 arms, chosen on validation images only.

    python -m benchmarks.transfer_pilot --weights PATH [--parts frozen heads runs] [--names NAME]

*frozen*: a linear layer, trained to convergence, on the features of a frozen backbone after its
second, third and last stage, for several resolutions. *heads*: the linear layer of both frozen
presets as `train.py` trains it, with several learning rates and epochs. *runs*: short trainings of
the whole network with several learning rates and resolutions, from the weights and from scratch.
Results that exist in `results/transfer_pilot/` are not computed again, and several processes can
share the folder. The test images are never used.
"""

import argparse
import json
import logging
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks import harness
from benchmarks.harness import print_table
from benchmarks.transfer_pilot_figure import plot_pilot
from mnist_lightning.cli import StudyCLI
from mnist_lightning.data.datamodule import MNISTDataModule
from mnist_lightning.files.storage import atomic_path
from mnist_lightning.models.feature_extraction import default_batch_size
from mnist_lightning.models.resnet50_classifier import FEATURE_CACHE, ResNet50Classifier
from mnist_lightning.records.environment import describe_environment
from mnist_lightning.terminal.logs import configure_logging
from mnist_lightning.terminal.presets import expand

SIZES = (32, 48, 64, 96, 128, 224)
STAGES = ("layer2", "layer3", "layer4")
DECAYS = (1e-5, 1e-4, 1e-3)
_RESULTS = harness.RESULTS / "transfer_pilot"
#: Resolution, and epochs that cost about the same.
_BUDGETS = {64: 6, 32: 12, 48: 8, 96: 3}
#: Resolution and learning rates: all rates at one resolution, then that rate at the others.
_RATES = {64: (5e-4, 1e-3, 2e-4, 2e-3), 32: (5e-4,), 48: (5e-4,), 96: (5e-4,)}

#: Learning rates and epochs of a linear layer.
_HEADS = ((1e-3, 12), (3e-3, 12), (1e-2, 12), (3e-2, 12), (1e-2, 36))


def run_options(weights: str) -> dict[str, list[str]]:
    """Return the options of each short training by name."""
    runs = {}
    for size, rates in _RATES.items():
        for rate in rates:
            for strategy, start in (("finetune", weights), ("scratch", "none")):
                options = ["--model", "resnet50_scratch", "--model.strategy", strategy]
                options += ["--model.weights", start, "--model.image_size", str(size)]
                options += ["--model.learning_rate", f"{rate:g}"]
                options += ["--trainer.max_epochs", str(_BUDGETS[size])]
                options += ["--model.stage_starts", "[0,0,0]", "--model.stage_rates", "[1,1,1]"]
                runs[f"{strategy}_{size}_{rate:g}"] = options
    return runs


def head_options(weights: str, features: Path) -> dict[str, list[str]]:
    """Return the options of each training of a linear layer by name."""
    runs = {}
    for preset in ("resnet50", "resnet50_layer3"):
        for rate, epochs in _HEADS:
            options = ["--model", preset, "--model.weights", weights]
            options += ["--model.feature_cache_dir", str(features)]
            options += ["--model.learning_rate", f"{rate:g}", "--trainer.max_epochs", str(epochs)]
            runs[f"head_{preset}_{rate:g}_{epochs}"] = options
    return runs


def run(options: list[str], data_dir: Path) -> dict[str, Any]:
    """Train and validate after the last step."""
    with tempfile.TemporaryDirectory() as folder:
        command = [*options, "--data.data_dir", str(data_dir), "--data.source", "mnist"]
        command += ["--output_dir", folder, "--trainer.enable_progress_bar", "false"]
        cli = StudyCLI(expand(command), command=options)
        cli.model.load_pretrained()
        if cli.model.precompute is not None:
            cli.datamodule.precompute_with(cli.model.precompute, cli.model.augmented_passes)
        started = time.perf_counter()
        cli.trainer.fit(cli.model, cli.datamodule)
        seconds = time.perf_counter() - started
    table = cli.history.table
    return {
        "accuracy": [float(value) for value in table["val/accuracy"]],
        "seconds": round(seconds, 1),
    }


def frozen(weights: str, size: int, data_dir: Path) -> dict[str, Any]:
    """Train linear layers on the features of each stage and validate them.

    Returns:
        The validation accuracy by stage and weight decay, and the seconds of the extraction.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = ResNet50Classifier(weights=weights, image_size=size)
    model.load_pretrained()
    network = model.network.eval().to(device, memory_format=torch.channels_last)
    data = MNISTDataModule(str(data_dir), "mnist")
    data.prepare_data()
    data.setup()
    started = time.perf_counter()
    train, val = (_pooled(network, part.images, device) for part in (data.train[:], data.val))
    seconds = time.perf_counter() - started
    labels, truth = data.train.labels.to(device), data.val.labels.to(device)
    accuracy = {
        f"{stage} {decay:g}": _linear(train[stage], labels, val[stage], truth, decay)
        for stage in STAGES
        for decay in DECAYS
    }
    return {"accuracy": accuracy, "extraction_seconds": round(seconds, 1)}


@torch.inference_mode()
def _pooled(network: nn.Module, images: Tensor, device: torch.device) -> dict[str, Tensor]:
    """Return the globally averaged feature maps after each stage, float32 ``(N, C)``."""
    found: dict[str, list[Tensor]] = {stage: [] for stage in STAGES}
    backbone = network.get_submodule("backbone")
    hooks = [
        backbone.get_submodule(stage).register_forward_hook(_keep(found[stage])) for stage in STAGES
    ]
    step = default_batch_size(int(network.image_size), device)  # type: ignore[arg-type]
    with torch.autocast(device.type, torch.bfloat16):
        for start in range(0, len(images), step):
            network(images[start : start + step].to(device))
    for hook in hooks:
        hook.remove()
    return {stage: torch.cat(parts) for stage, parts in found.items()}


def _keep(parts: list[Tensor]) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
    def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        parts.append(output.float().mean(dim=(2, 3)))

    return hook


def _linear(train: Tensor, labels: Tensor, val: Tensor, truth: Tensor, decay: float) -> float:
    """Return the validation accuracy of multinomial logistic regression, by L-BFGS."""
    train, val = train.clone(), val.clone()  # no inference tensors, which have no gradients
    mean, std = train.mean(dim=0), train.std(dim=0) + 1e-6
    train, val = (train - mean) / std, (val - mean) / std
    layer = nn.Linear(train.shape[1], 10).to(train.device)
    optimizer = torch.optim.LBFGS(
        layer.parameters(), max_iter=300, line_search_fn="strong_wolfe", tolerance_change=1e-7
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(layer(train), labels) + decay * layer.weight.square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)  # type: ignore[arg-type]
    with torch.no_grad():
        return float((layer(val).argmax(dim=1) == truth).float().mean())


def main(argv: Sequence[str] | None = None) -> None:
    """Compute what has no result yet, and print the tables of all results."""
    text = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(description=text, allow_abbrev=False)
    parser.add_argument("--weights", required=True, help="a state dict of ResNet50")
    parser.add_argument("--data_dir", type=Path, default=Path("data"))
    parser.add_argument(
        "--parts",
        nargs="+",
        choices=["frozen", "heads", "runs"],
        default=["frozen", "heads", "runs"],
    )
    parser.add_argument("--names", nargs="+", help="only these results, in this order")
    features = Path("output", FEATURE_CACHE)
    text = f"folder of the cached features for heads (default: {features})"
    parser.add_argument("--feature_cache_dir", type=Path, default=features, help=text)
    arguments = parser.parse_args(argv)
    configure_logging(logging.ERROR)
    _RESULTS.mkdir(parents=True, exist_ok=True)
    jobs: dict[str, Callable[[], dict[str, Any]]] = {}
    if "frozen" in arguments.parts:
        for size in SIZES:
            jobs[f"frozen_{size}"] = lambda size=size: frozen(  # type: ignore[misc]
                arguments.weights, size, arguments.data_dir
            )
    trainings = {}
    if "heads" in arguments.parts:
        trainings |= head_options(arguments.weights, arguments.feature_cache_dir)
    if "runs" in arguments.parts:
        trainings |= run_options(arguments.weights)
    for name, options in trainings.items():
        jobs[name] = lambda options=options: run(  # type: ignore[misc]
            options, arguments.data_dir
        )
    for name in arguments.names or jobs:
        if name not in jobs:
            parser.error(f"--names: {name} is not one of {', '.join(jobs)}")
        _once(name, jobs[name])
    results = {
        path.stem: json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(_RESULTS.glob("*.json"))
    }
    for name, result in results.items():
        accuracy = result["accuracy"]
        cells = accuracy.items() if isinstance(accuracy, dict) else enumerate(accuracy, 1)
        print_table(
            [name, "validation accuracy"],
            [[str(key), f"{value:.2%}"] for key, value in cells],
        )
    harness.write_figure("transfer_pilot", plot_pilot(results))


def _once(name: str, job: Callable[[], dict[str, Any]]) -> None:
    """Run a job and write its result, unless it exists or another process computes it."""
    path = _RESULTS / f"{name}.json"
    try:
        with FileLock(Path(tempfile.gettempdir(), f"{path.stem}.lock"), blocking=False):
            if path.is_file():
                return
            here = describe_environment()
            machine = {"commit": here.commit, "machine": here.gpu or here.processor}
            text = json.dumps({**machine, **job()})
            with atomic_path(path) as temporary:
                temporary.write_text(text + "\n", encoding="utf-8")
    except Timeout:
        return
    print(f"{name}: {text}", flush=True)


if __name__ == "__main__":
    main()
