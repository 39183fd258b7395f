"""Bit-identity of trainings that are killed at random moments and resumed.

    python -m benchmarks.kill_sweep [--moments 20] [--seed 0] [--kinds cnn frozen finetune scratch]

Each training runs in a forked child of a process that has imported everything, and kills itself
with SIGKILL when it passes one of the places below for the n-th time. The resumed training must
give the same checkpoints, metrics, logs and predictions, to the last bit, as one that was not
killed. The result is in `results/kill_sweep_KINDS.json`; the exit status is 1 if anything differs.
"""

import argparse
import functools
import json
import multiprocessing
import os
import random
import signal
import tempfile
from collections.abc import Callable, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from lightning import Callback
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torchvision.models import ResNet
from torchvision.models.resnet import Bottleneck

from benchmarks.harness import print_machine, write_result
from mnist_lightning import cli, results
from mnist_lightning.commands.train import main as train_main
from mnist_lightning.evaluation import latency
from mnist_lightning.export import formats
from mnist_lightning.models import resnet50 as network
from mnist_lightning.training.run_logger import RunLogger

CONTEXT = multiprocessing.get_context("forkserver")
PLACES = ("batch", "validation", "checkpoint", "export")
NAMES = {"cnn": "custom_cnn", "frozen": "resnet50", "finetune": "resnet50_finetune"}
NAMES["scratch"] = "resnet50_scratch"
EPOCHS, STEPS = 2, 4
#: How often a run passes each place: twice in each step, at one validation batch an epoch, at three
#: moments of each checkpoint and at two while an older one is renamed, and at three of one export.
PASSES = {
    "batch": 2 * EPOCHS * STEPS,
    "validation": EPOCHS,
    "checkpoint": 5 * EPOCHS - 2,
    "export": 3,
}


class KillAt(Callback):
    """Kills this process when it passes a place for the n-th time, counted from 1."""

    def __init__(self, place: str, number: int) -> None:
        self.place, self.left = place, number

    def passes(self, place: str) -> None:
        """Count a pass."""
        if place == self.place:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def on_before_optimizer_step(self, *args: Any) -> None:
        """Pass between the two halves of a step."""
        self.passes("batch")

    def on_train_batch_end(self, *args: Any, **options: Any) -> None:
        """Pass after a step."""
        self.passes("batch")

    def on_validation_batch_end(self, *args: Any, **options: Any) -> None:
        """Pass after a validation batch."""
        self.passes("validation")


def training_argv(kind: str, data_dir: Path, output_dir: Path) -> list[str]:
    """Return the arguments of a small training with everything on that could differ on resume."""
    common = [
        *("--data.data_dir", str(data_dir), "--data.batch_size", "8"),
        *("--trainer.max_epochs", str(EPOCHS), "--trainer.limit_train_batches", str(STEPS)),
        *("--trainer.accelerator", "cpu", "--trainer.precision", "32-true"),
        *("--model.dropout", "0.3", "--ema.decay", "0.9", "--output_dir", str(output_dir)),
        *("--export_formats", "[]"),
    ]
    if kind == "cnn":
        return ["--model", "cnn", "--model.widths", "[4, 8]", *common]
    preset = "resnet50" if kind == "frozen" else NAMES[kind]
    common = ["--model", preset, *common, "--model.image_size", "32", "--model.weights"]
    common.append("none" if kind == "scratch" else str(data_dir / "weights.pth"))
    if kind == "frozen":
        common += ["--data.augmentation.rotation", "10", "--model.augmented_passes", "1"]
    if kind == "finetune":
        common += ["--model.stage_starts", "[0.0, 0.3, 0.6]"]
    return common


def make_inputs(folder: Path) -> None:
    """Write ``mnist.npz`` with 160 training images of noise, and weights of a short ResNet."""
    rng = np.random.default_rng(0)
    sizes = {"train": 160, "test": 40}
    arrays = {f"x_{k}": rng.integers(0, 256, (n, 28, 28), np.uint8) for k, n in sizes.items()}
    arrays |= {f"y_{k}": (np.arange(n) % 10).astype(np.uint8) for k, n in sizes.items()}
    np.savez(folder / "mnist.npz", **arrays)
    torch.manual_seed(0)
    torch.save(_short_resnet().state_dict(), folder / "weights.pth")


def _short_resnet(weights: None = None) -> ResNet:
    """ResNet50 with one narrow block per stage: most of the time goes into writing checkpoints."""
    return ResNet(Bottleneck, [1, 1, 1, 1], width_per_group=8)


def _hook_writes(killer: KillAt) -> None:
    """Pass the killer while checkpoints and the exported file are written."""
    chmod, replace = Path.chmod, Path.replace

    def place(path: Path) -> str:
        return {".ckpt": "checkpoint", ".pt": "export"}.get(path.suffix, "")

    def chmod_half_written(self: Path, mode: int, **options: Any) -> None:
        content = self.read_bytes()
        self.write_bytes(content[: len(content) // 2])
        killer.passes(place(self))
        self.write_bytes(content)
        chmod(self, mode, **options)

    def replace_slowly(self: Path, target: Path) -> Path:
        killer.passes(place(self))
        moved = replace(self, target)
        killer.passes(place(self))
        return moved

    Path.chmod, Path.replace = chmod_half_written, replace_slowly  # type: ignore[assignment, method-assign]


def shorten_training() -> None:
    """Shorten the trainings of this process to what a comparison of two runs needs."""
    torch.set_num_threads(1)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    # A small network, no figures, and no times or checks that are not compared.
    network.resnet50 = _short_resnet
    formats.check_scriptable = lambda network: None
    latency.BUDGET_SECONDS, latency.WARMUP_CALLS, latency.THROUGHPUT_BATCH = 0.0, 1, 8
    results._figures = lambda *args: ({}, {})
    RunLogger.log_results = lambda *args: None  # type: ignore[method-assign]


def _child(argv: list[str], place: str, number: int) -> None:
    shorten_training()
    if place:
        killer = KillAt(place, number)
        _hook_writes(killer)
        build: Callable[..., Any] = cli.StudyCLI._instantiate_trainer

        def with_killer(self: Any, config: dict[str, Any], callbacks: list[Callback]) -> Any:
            return build(self, config, [*callbacks, killer])

        cli.StudyCLI._instantiate_trainer = with_killer  # type: ignore[method-assign]
    os._exit(train_main(argv))


def start(target: Callable[..., None], *args: Any) -> BaseProcess:
    """Call a function in a forked child."""
    # Forked from a process that has the imports, which take seconds, but has not trained: PyTorch
    # cannot compute gradients in the fork of a process that has. Lightning imports the writer of
    # TensorBoard when a training starts.
    CONTEXT.set_forkserver_preload([__name__, "torch.utils.tensorboard"])
    child = CONTEXT.Process(target=target, args=args)
    # The first start passes the environment on. Sums over several threads round differently, and
    # results must not depend on the number of cores.
    with patch.dict(os.environ, {"OMP_NUM_THREADS": "1"}):
        child.start()
    return child


def train(argv: list[str], place: str = "", number: int = 0) -> int:
    """Train in a forked child; return its exit status, negative after a signal."""
    child = start(_child, argv, place, number)
    child.join()
    assert child.exitcode is not None
    return child.exitcode


def read_results(output_dir: Path, kind: str) -> dict[str, Any]:
    """Read everything that a finished run has learned and logged, except times and paths."""
    (folder,) = (output_dir / "runs" / NAMES[kind]).iterdir()
    found: dict[str, Any] = {"metrics.csv": (folder / "metrics.csv").read_text()}
    checkpoint = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    for part in ("state_dict", "current_model_state", "optimizer_states", "global_step"):
        found[part] = checkpoint.get(part)
    events = EventAccumulator(str(folder))
    events.Reload()
    for tag in events.Tags()["scalars"]:
        if tag.startswith(("train", "val", "lr")):
            found[tag] = [(event.step, event.value) for event in events.Scalars(tag)]
    record = json.loads((output_dir / f"{NAMES[kind]}_metrics.json").read_text())
    found["test"] = {k: v for k, v in record["test"].items() if "second" not in k}
    with np.load(output_dir / f"{NAMES[kind]}_predictions.npz") as arrays:
        found |= {f"predictions {name}": arrays[name].tobytes() for name in arrays}
    return found


@functools.cache
def _expected(folder: Path, kind: str) -> dict[str, Any]:
    """Train without a kill and return the results."""
    output_dir = folder / f"{kind}-whole"
    assert train(training_argv(kind, folder, output_dir)) == 0
    return read_results(output_dir, kind)


def identical(first: Any, second: Any) -> bool:
    """Return whether two nested values are equal to the last bit."""
    if isinstance(first, torch.Tensor):
        return bool(first.dtype == second.dtype and torch.equal(first, second))
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(identical(first[k], second[k]) for k in first)
    if isinstance(first, (list, tuple)):
        return len(first) == len(second) and all(map(identical, first, second))
    return bool(first == second)


def kill_and_resume(kind: str, place: str, number: int, folder: Path, run: str) -> dict[str, Any]:
    """Kill a training at one moment, resume it and compare it with one that was not killed."""
    expected = _expected(folder, kind)
    output_dir = folder / f"{kind}-{run}"
    argv = training_argv(kind, folder, output_dir)
    killed = train(argv, place, number)
    resumes = any(output_dir.glob(f"runs/{NAMES[kind]}/version_0/checkpoints/[lp]*.ckpt"))
    if not resumes:
        # There is no checkpoint yet: train again from the start, in another folder.
        (output_dir / "runs").rename(folder / f"{kind}-{run}-killed")
    status = train([*argv, *(["--ckpt_path", "last"] if resumes else [])])
    found = read_results(output_dir, kind) if status == 0 else {}
    different = [k for k in expected | found if not identical(expected.get(k), found.get(k))]
    outcome = {"kind": kind, "place": place, "number": number, "killed": killed}
    return outcome | {"resumed": resumes, "status": status, "different": different}


def choose(count: int, seed: int) -> list[tuple[str, int]]:
    """Draw random moments, equally many at each place."""
    rng = random.Random(seed)
    places = [PLACES[index % len(PLACES)] for index in range(count)]
    return [(place, rng.randint(1, PASSES[place])) for place in places]


def main(argv: Sequence[str] | None = None) -> int:
    """Kill, resume, compare and record; return 0 if everything was identical, else 1."""
    text = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(description=text, allow_abbrev=False)
    parser.add_argument("--moments", type=int, default=20, help="for each kind of training")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="+", choices=list(NAMES), default=list(NAMES))
    options = parser.parse_args(argv)
    print_machine()
    outcomes: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        make_inputs(Path(folder))
        for index, (place, number) in enumerate(choose(options.moments, options.seed)):
            for kind in options.kinds:
                outcome = kill_and_resume(kind, place, number, Path(folder), str(index))
                outcomes.append(outcome)
                print(outcome, flush=True)
                # After each outcome, so that an interrupted sweep keeps its findings.
                _write(outcomes, options)
    return int(not all(map(_is_identical, outcomes)))


def _is_identical(outcome: dict[str, Any]) -> bool:
    return outcome["status"] == 0 and not outcome["different"]


def _write(outcomes: list[dict[str, Any]], options: argparse.Namespace) -> None:
    result = {
        "seed": options.seed,
        "network": "ResNet50 with one narrow block per stage; CNN of widths 4 and 8",
        "planned": options.moments * len(options.kinds),
        "done": len(outcomes),
        "killed": sum(one["killed"] == -signal.SIGKILL for one in outcomes),
        "resumed": sum(one["resumed"] for one in outcomes),
        "identical": sum(map(_is_identical, outcomes)),
        "moments": outcomes,
    }
    write_result(f"kill_sweep_{'_'.join(options.kinds)}", result)


if __name__ == "__main__":
    raise SystemExit(main())
