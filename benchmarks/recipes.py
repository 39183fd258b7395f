"""The recipes of `benchmarks.time_to_accuracy`, and the result file of each training."""

import importlib.util
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import harness
from mnist_lightning.files.storage import atomic_path

ROOT = Path(__file__).parents[1]
REFERENCE = "one_epoch"


@dataclass(frozen=True)
class Recipe:
    """A way to train a network on MNIST.

    Attributes:
        title: Its name in tables and the plot.
        module: The module in `benchmarks/peers/` that trains it.
        options: Further arguments of that module.
        needs: A package that only this recipe needs.
    """

    title: str
    module: str
    options: tuple[str, ...] = ()
    needs: str | None = None

    @property
    def is_ours(self) -> bool:
        """Whether it is a preset of this project."""
        return self.module == "ours"

    @property
    def is_missing(self) -> bool:
        """Whether the package that it needs is not installed."""
        return self.needs is not None and importlib.util.find_spec(self.needs) is None


RECIPES = {
    "cnn_fast": Recipe("ours, --model cnn_fast", "ours", ("--model", "cnn_fast")),
    "cnn_fast_3_epochs": Recipe(
        "ours, cnn_fast in three epochs",
        "ours",
        ("--model", "cnn_fast", "--trainer.max_epochs", "3"),
    ),
    "cnn": Recipe("ours, --model cnn", "ours", ("--model", "cnn")),
    REFERENCE: Recipe("one-epoch recipe", "one_epoch"),
    "one_epoch_bf16": Recipe("one-epoch recipe in our bfloat16", "one_epoch", ("--bfloat16",)),
    "pytorch_example": Recipe("PyTorch's example", "pytorch_example"),
    "keras_convnet": Recipe("Keras' mnist_convnet", "keras_convnet", needs="tensorflow"),
    "keras_study": Recipe("Keras, the usual CNN", "keras_study", needs="tensorflow"),
}

#: The results of the trainings by recipe and seed.
Runs = dict[str, dict[int, dict[str, Any]]]


def run_folder() -> Path:
    """Return the folder of the result files."""
    return harness.RESULTS / "time_to_accuracy"


def train(name: str, seed: int, data_dir: Path) -> None:
    """Train in a new process and write the result file, unless there is one already.

    Args:
        name: Name of the recipe.
        seed: Seed of the training.
        data_dir: torchvision's root, with the files in ``MNIST/raw``.

    Raises:
        SystemExit: The training failed; the message contains the end of its stderr.
    """
    recipe, path = RECIPES[name], run_folder() / f"{name}_seed_{seed}.json"
    if path.is_file():
        print(f"{recipe.title}, seed {seed}: already trained", flush=True)
        return
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "run.json")
        command = [sys.executable, "-m", f"benchmarks.peers.{recipe.module}", *recipe.options]
        command += ["--seed", str(seed), "--data_dir", str(data_dir.resolve())]
        command += ["--output", str(output), "--started", repr(time.time())]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"{recipe.title}, seed {seed}, failed:\n{done.stderr[-2000:]}")
        run = json.loads(output.read_text(encoding="utf-8"))
    with atomic_path(path) as temporary:
        header = {"recipe": name, "options": recipe.options, "seed": seed}
        text = json.dumps({**header, "machine": harness.describe_machine(), **run}, indent=2)
        temporary.write_text(text + "\n", encoding="utf-8")
    last, accuracy = run["laps"][-1], run["test_accuracy"][-1]
    print(
        f"{recipe.title}, seed {seed}: {last['training_seconds']:.1f} s of training, "
        f"{last['process_seconds']:.1f} s of the process, {accuracy:.2%}",
        flush=True,
    )


def read_runs() -> Runs:
    """Read all result files, in the order of the recipes."""
    runs: Runs = {}
    for name in RECIPES:
        for path in run_folder().glob(f"{name}_seed_[0-9]*.json"):
            run = json.loads(path.read_text(encoding="utf-8"))
            runs.setdefault(name, {})[run["seed"]] = run
    return runs
