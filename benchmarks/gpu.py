"""Everything that only a GPU can show, within eight minutes.

    python -m benchmarks.gpu [--data_dir data] [--parts tests cnn_fast ...]

Each part is a new process, or a few at once, with a time limit of its own, and its entry is written
to `results/gpu.json` as soon as it is done. Parts that are in the file already are not repeated,
unless `--parts` names them; a part that ran out of time or failed says so in its entry. Trainings
are kept in `--work_dir`, so that the seeds of an interrupted part continue where they stopped.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any
from xml.etree import ElementTree

import safetensors.torch
import torch
from torch.nn import functional as F

from benchmarks import harness
from benchmarks.ddp import Rate
from benchmarks.harness import print_machine, write_result
from benchmarks.study import build_study
from mnist_lightning.comparison.seed_study import recorded_seeds, seed_folder
from mnist_lightning.models.classifier import decay_groups
from mnist_lightning.records.record import read_record

ROOT = Path(__file__).parents[1]
#: The tests that skip without CUDA, and those that use a GPU if there is one.
TESTS = ("tests/training/test_study_trainer.py", "tests/training/test_precision.py")
SEEDS = 10
PROCESSES = 5
TARGET = 0.99
WARM_UP, TIMED = 10, 30

Entry = dict[str, Any]


class Folder:
    """Where a part works, and how it starts processes.

    Args:
        path: The folder, created if it is missing.
        data_dir: Folder with MNIST.
        seconds: Time limit of all processes together.
    """

    def __init__(self, path: Path, data_dir: Path, seconds: float) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self.path, self.data_dir = path.resolve(), data_dir.resolve()
        self.end = time.monotonic() + seconds

    def start(self, *arguments: str, name: str = "log") -> "subprocess.Popen[bytes]":
        """Start Python in the repository; both its streams go to a file in the folder."""
        # Deterministic matrix products of CUDA need the second; several processes share the cores.
        variables = {**os.environ, "OMP_NUM_THREADS": "2", "CUBLAS_WORKSPACE_CONFIG": ":4096:8"}
        with (self.path / f"{name}.txt").open("wb") as log:
            return subprocess.Popen(
                [sys.executable, *arguments],
                cwd=ROOT,
                env=variables,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def wait(self, *processes: "subprocess.Popen[bytes]") -> bool:
        """Wait for processes up to the time limit; return whether all of them ended well."""
        for process in processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(1.0, self.end - time.monotonic()))
        for process in processes:
            # Ends with a checkpoint; has no effect on a process that has ended.
            process.terminate()
        for process in processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(15)
            process.kill()
        return all(process.wait() == 0 for process in processes)

    def train(self, *options: str, name: str = "log") -> "subprocess.Popen[bytes]":
        """Start a training on the data."""
        data = ("--data.data_dir", str(self.data_dir), "--export_formats", "[]", "--quiet")
        return self.start("scripts/train.py", *options, *data, name=name)


def run_tests(folder: Folder) -> Entry:
    """Run the tests that skip without CUDA."""
    report = folder.path / "junit.xml"
    options = ("-q", "-n0", f"--junitxml={report}", *TESTS)
    complete = folder.wait(folder.start("-m", "pytest", *options))
    if not report.is_file():
        return {"complete": False}
    suite = ElementTree.parse(report).getroot()[0]
    counts = {name: int(suite.attrib[name]) for name in ("tests", "failures", "errors", "skipped")}
    return {"complete": complete, **counts}


def train_seeds(folder: Folder) -> Entry:
    """Train the CNN with ten seeds, in processes that share the GPU."""
    outputs = [folder.path / f"process_{number}" for number in range(PROCESSES)]
    running = [
        folder.train(
            *("--model", "cnn", "--output_dir", str(output), "--seeds"),
            *map(str, range(number, SEEDS, PROCESSES)),
            name=output.name,
        )
        for number, output in enumerate(outputs)
    ]
    complete = folder.wait(*running)
    found = [seed_folder(output, "custom_cnn") for output in outputs]
    records = [
        read_record(path / f"seed_{seed}_metrics.json")
        for path in found
        if path.is_dir()
        for seed in recorded_seeds(path)
    ]
    accuracies = {str(one.training.seed): one.test.accuracy for one in records}
    values = list(accuracies.values())
    return {
        "complete": complete and len(values) == SEEDS,
        "accuracies": accuracies,
        "mean": mean(values) if values else None,
        "standard_deviation": stdev(values) if len(values) > 1 else None,
        "training_seconds": {str(one.training.seed): one.training.seconds for one in records},
        "processes": PROCESSES,
    }


def time_to_target(folder: Folder) -> Entry:
    """Measure the seconds of training until cnn_fast is right on 99 % of the test images."""
    seconds: dict[str, float | None] = {}
    accuracies: dict[str, list[float]] = {}
    for seed in range(3):
        output = folder.path / f"seed_{seed}.json"
        options = ("--model", "cnn_fast", "--trainer.max_epochs", "2", "--seed", str(seed))
        files = ("--data_dir", str(folder.data_dir), "--output", str(output))
        started = ("--started", repr(time.time()))
        if not folder.wait(folder.start("-m", "benchmarks.peers.ours", *options, *files, *started)):
            continue
        run = json.loads(output.read_text(encoding="utf-8"))
        laps = zip(run["laps"], run["test_accuracy"], strict=True)
        reached = (lap["training_seconds"] for lap, accuracy in laps if accuracy >= TARGET)
        seconds[str(seed)] = next(reached, None)
        accuracies[str(seed)] = run["test_accuracy"]
    return {"complete": len(seconds) == 3, "seconds": seconds, "accuracy_by_epoch": accuracies}


def compare_fine_tuning(folder: Folder) -> Entry:
    """Compare fine-tuning at 224 pixels with its bare step, in a new process."""
    output = folder.path / "fine_tuning.json"
    command = ("-m", "benchmarks.gpu", "--measure", str(output))
    complete = folder.wait(folder.start(*command, "--data_dir", str(folder.data_dir)))
    measured = json.loads(output.read_text(encoding="utf-8")) if output.is_file() else {}
    return {"complete": complete, **measured}


def measure_fine_tuning(output: Path, options: Sequence[str]) -> None:
    """Train for two epochs through the Trainer and time bare steps with the same network.

    Args:
        output: The file to write.
        options: Further options of the training.
    """
    more = ("--model", "resnet50_finetune", "--model.weights", "none", "--trainer.max_epochs", "2")
    cli = build_study(output.parent / "run", [*more, *options])
    rate = Rate()
    cli.trainer.callbacks.append(rate)
    cli.datamodule.setup()
    cli.trainer.fit(cli.model, cli.datamodule)
    # From the second epoch on, every parameter is trained.
    bare = _bare_rate(cli.model, cli.datamodule, cli.trainer)
    result = {
        "images_per_second": rate.rates[-1],
        "bare_images_per_second": bare,
        "share_of_bare_speed": rate.rates[-1] / bare,
        "precision": str(cli.trainer.precision),
        "image_size": cli.model.network.image_size,
    }
    output.write_text(json.dumps(result), encoding="utf-8")


def _bare_rate(model: Any, data: Any, trainer: Any) -> float:
    """Return the images per second of forward, backward and optimiser step alone."""
    device = trainer.strategy.root_device
    network = model.network.to(device).train().requires_grad_(True)
    batch = data.train[: data.batch_size].to(device)
    groups = decay_groups(network.parameters())
    optimizer = torch.optim.AdamW(groups, lr=1e-6, fused=True)
    for step in range(WARM_UP + TIMED):
        if step == WARM_UP:
            _synchronise(device)
            start = time.perf_counter()
        optimizer.zero_grad()
        with trainer.precision_plugin.forward_context():
            loss = F.cross_entropy(network(batch.images), batch.labels)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    _synchronise(device)
    return TIMED * len(batch) / (time.perf_counter() - start)


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def check_resume(folder: Folder) -> Entry:
    """Compare the weights of a training that was interrupted with those of one that was not."""
    options = ("--model", "cnn", "--trainer.max_epochs", "4", "--trainer.deterministic", "true")
    outputs = [folder.path / name for name in ("whole", "interrupted")]
    for output in outputs:
        # Their checkpoints would be taken for those of this run.
        shutil.rmtree(output, ignore_errors=True)
    whole, first = (
        folder.train(*options, "--output_dir", str(output), name=output.name) for output in outputs
    )
    checkpoint = "runs/custom_cnn/version_0/checkpoints/last.ckpt"
    while first.poll() is None and not (outputs[1] / checkpoint).is_file():
        if time.monotonic() > folder.end:
            break
        time.sleep(0.05)
    was_running = first.poll() is None
    first.send_signal(signal.SIGTERM)
    first.wait()
    resume = ("--ckpt_path", "last", "--output_dir", str(outputs[1]))
    second = folder.train(*options, *resume, name="resumed")
    complete = folder.wait(whole, second)
    if not complete:
        return {"complete": False}
    states = [
        safetensors.torch.load_file(path / "custom_cnn_model.safetensors") for path in outputs
    ]
    equal = all(torch.equal(value, states[1][name]) for name, value in states[0].items())
    return {"complete": True, "was_interrupted": was_running, "weights_are_equal": equal}


@dataclass(frozen=True)
class Part:
    """A part of the benchmark.

    Attributes:
        measure: Measures it.
        seconds: Its time limit; together they are eight minutes.
    """

    measure: Callable[[Folder], Entry]
    seconds: float


PARTS: Mapping[str, Part] = {
    "tests": Part(run_tests, 60),
    "cnn_fast": Part(time_to_target, 60),
    "resume": Part(check_resume, 80),
    "fine_tuning": Part(compare_fine_tuning, 120),
    "seeds": Part(train_seeds, 160),
}


def main(argv: Sequence[str] | None = None) -> None:
    """Measure the parts that are missing, or those that are named."""
    text = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(description=text, allow_abbrev=False)
    parser.add_argument("--data_dir", type=Path, default=Path("data"))
    parser.add_argument("--work_dir", type=Path, default=Path("output", "benchmark_gpu"))
    parser.add_argument("--parts", nargs="+", choices=list(PARTS))
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    arguments, options = parser.parse_known_args(argv)
    if arguments.measure is not None:
        measure_fine_tuning(
            arguments.measure, ["--data.data_dir", str(arguments.data_dir), *options]
        )
        return
    if options:
        parser.error(f"unrecognized arguments: {' '.join(options)}")
    print_machine()
    path = harness.RESULTS / "gpu.json"
    entries = json.loads(path.read_text(encoding="utf-8"))["parts"] if path.is_file() else {}
    for name in arguments.parts or [one for one in PARTS if one not in entries]:
        part, start = PARTS[name], time.monotonic()
        entry = part.measure(Folder(arguments.work_dir / name, arguments.data_dir, part.seconds))
        entries[name] = {**entry, "seconds": round(time.monotonic() - start, 1)}
        print(f"{name}: {json.dumps(entries[name])}", flush=True)
        write_result("gpu", {"parts": entries})


if __name__ == "__main__":
    main()
