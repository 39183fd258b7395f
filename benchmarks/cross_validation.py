"""Cross-validation of recipes over the 60,000 training images; the test images are never used.

    python -m benchmarks.cross_validation [--trainings plain contrast:1] [--folds 0 1]

Each training uses 50,000 images and predicts the other 10,000 with its weights after the last step;
six of them predict all 60,000. Errors of two recipes on the same images are compared in pairs. A
training writes a file to `results/cross_validation/` and is skipped if the file exists, so that an
interrupted benchmark continues, and several processes can share one folder. Networks stay in
`--networks`; a teacher whose network is not there is trained again.
"""

import argparse
import json
import logging
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock, Timeout
from lightning import Callback, LightningModule, Trainer
from sklearn.model_selection import StratifiedKFold
from torch import Tensor

from benchmarks import harness
from benchmarks.cross_validation_recipes import RECIPES, Recipe
from benchmarks.cross_validation_table import print_tables
from mnist_lightning.cli import StudyCLI
from mnist_lightning.data.datamodule import MNISTDataModule
from mnist_lightning.data.digits import Subset
from mnist_lightning.evaluation.inference import predict_logits
from mnist_lightning.files.storage import atomic_path
from mnist_lightning.models.soft_voting import Ensemble
from mnist_lightning.records.environment import describe_environment
from mnist_lightning.robustness.catalogue import CORRUPTIONS
from mnist_lightning.terminal.logs import configure_logging
from mnist_lightning.terminal.presets import expand

FOLDS = 6
#: The images of each fold that are corrupted: the first of them in the order of the dataset.
CORRUPTED = 2000
_RESULTS = harness.RESULTS / "cross_validation"


class LatePredictions(Callback):
    """Keeps which held-out images are wrong after each epoch."""

    def __init__(self) -> None:
        self.wrong: list[list[int]] = []
        self._predicted: list[Tensor] = []
        self._labels: list[Tensor] = []

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: tuple[Tensor, Tensor],
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Predict the batch again, with the averaged weights that the validation uses."""
        self._predicted.append(pl_module(batch[0]).argmax(dim=1).cpu())
        self._labels.append(batch[1].cpu())

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Collect the errors of the epoch."""
        wrong = torch.cat(self._predicted) != torch.cat(self._labels)
        self.wrong.append(wrong.nonzero()[:, 0].tolist())
        self._predicted, self._labels = [], []


def hold_out(data: MNISTDataModule, fold: int) -> None:
    """Replace the split of a data module: a sixth of the training images becomes the validation.

    Args:
        data: The data module, with the whole MNIST available.
        fold: The part to hold out, 0 to 5.
    """
    data.prepare_data()
    data.setup()
    labels = data.dataset.train.labels.numpy()
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    train, val = list(folds.split(np.zeros_like(labels), labels))[fold]
    data.train_indices, data.val_indices = torch.from_numpy(train), torch.from_numpy(val)
    data.train = Subset(data.dataset.train, data.train_indices)
    data.val = data.dataset.train[data.val_indices]


def train_fold(recipe: Recipe, fold: int, seed: int, data_dir: Path, networks: Path) -> Any:
    """Train without one fold, and measure the weights after the last step on it.

    Args:
        recipe: The recipe.
        fold: The part to hold out, 0 to 5.
        seed: Seed of the training.
        data_dir: Folder with the whole MNIST.
        networks: Folder of the trained networks, which later recipes may take as teachers.

    Returns:
        The result, as it is written to JSON.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [*recipe.options, "--data.data_dir", str(data_dir), "--data.source", "mnist"]
        command += ["--seed_everything", str(seed), "--output_dir", folder]
        command += ["--trainer.enable_progress_bar", "false"]
        if recipe.teachers:
            command += ["--model.teacher", str(_teacher(recipe, fold, Path(folder), networks))]
        cli = StudyCLI(expand(command), command=command)
        hold_out(cli.datamodule, fold)
        epochs = LatePredictions()
        cli.trainer.callbacks.append(epochs)
        started = time.perf_counter()
        cli.trainer.fit(cli.model, cli.datamodule)
        seconds = time.perf_counter() - started
    network = cli.model.network.eval()
    held_out = cli.datamodule.val
    device = "cuda" if torch.cuda.is_available() else "cpu"
    network.to(device)
    with torch.autocast(device, torch.bfloat16, enabled=cli.trainer.precision == "bf16-mixed"):
        logits = _predict(network, held_out.images, device)
        corrupted = _corrupted_errors(network, cli.datamodule, device)
    torch.save(network.cpu().state_dict(), networks / f"{recipe.name}_fold_{fold}_seed_{seed}.pt")
    here = describe_environment()
    return {
        "recipe": recipe.name,
        "options": recipe.options,
        "fold": fold,
        "seed": seed,
        "commit": here.commit,
        "dirty": here.dirty,
        "machine": here.gpu or here.processor,
        "seconds": round(seconds, 1),
        "parameters": sum(one.numel() for one in cli.model.parameters()),
        "wrong": (logits.argmax(dim=1) != held_out.labels).nonzero()[:, 0].tolist(),
        "wrong_by_epoch": epochs.wrong,
        "corrupted_images": min(CORRUPTED, len(held_out)),
        "corrupted_error": corrupted,
    }


def _predict(network: torch.nn.Module, images: Tensor, device: str) -> Tensor:
    return predict_logits(network, images.to(device), batch_size=1000)


def _corrupted_errors(
    network: torch.nn.Module, data: MNISTDataModule, device: str
) -> dict[str, float]:
    """Return the error rate for each corruption of the first held-out images."""
    images, labels = data.val.images[:CORRUPTED, 0].numpy(), data.val.labels[:CORRUPTED]
    indices = data.val_indices[:CORRUPTED].numpy()
    rates = {}
    for corruption in CORRUPTIONS:
        pixels = torch.from_numpy(corruption(images, indices, 0)).unsqueeze(1)
        predicted = _predict(network, pixels, device).argmax(dim=1)
        rates[corruption.name] = float((predicted != labels).float().mean())
    return rates


def _teacher(recipe: Recipe, fold: int, folder: Path, networks: Path) -> Path:
    """Write the ensemble of the networks that were trained without the same fold."""
    members = []
    for name, seed in recipe.teachers:
        weights = networks / f"{name}_fold_{fold}_seed_{seed}.pt"
        while not weights.is_file():
            time.sleep(1)  # another process trains it
        options = list(RECIPES[name].options)
        cli = StudyCLI(expand([*options, "--output_dir", str(folder)]), command=options)
        state = torch.load(weights, weights_only=True)
        cli.model.network.load_state_dict(state)
        members.append(cli.model.network.eval())
    path = folder / "teacher.pt"
    torch.jit.script(Ensemble(members).eval()).save(str(path))
    return path


def _trainings(specified: Sequence[str]) -> list[tuple[Recipe, int]]:
    """Return recipes and seeds of ``RECIPE[:SEED]``; of all recipes and their teachers if empty."""
    if not specified:
        teachers = {teacher for recipe in RECIPES.values() for teacher in recipe.teachers}
        chosen = {(name, 0) for name in RECIPES} | teachers
        return [
            (recipe, seed)
            for recipe in RECIPES.values()
            for seed in range(10)
            if (recipe.name, seed) in chosen
        ]
    found = []
    for one in specified:
        name, _, seed = one.partition(":")
        if name not in RECIPES or not (seed or "0").isdecimal():
            raise SystemExit(f"--trainings: '{one}' is not one of {', '.join(RECIPES)} and a seed")
        # Its teachers first: without them it would wait for another process to train them.
        found += [(RECIPES[teacher], taught) for teacher, taught in RECIPES[name].teachers]
        found.append((RECIPES[name], int(seed or 0)))
    return found


def _train_all(jobs: Sequence[tuple[Recipe, int, int]], data_dir: Path, networks: Path) -> None:
    """Train what neither has a result nor is being trained by another process."""
    teachers = {teacher for recipe, _, _ in jobs for teacher in recipe.teachers}
    for recipe, seed, fold in jobs:
        path = _RESULTS / f"{recipe.name}_fold_{fold}_seed_{seed}.json"
        network = networks / f"{path.stem}.pt"
        lock = FileLock(network.with_suffix(".lock"), blocking=False)
        try:
            with lock:
                missing = (recipe.name, seed) in teachers and not network.is_file()
                if path.is_file() and not missing:
                    continue
                run = train_fold(recipe, fold, seed, data_dir, networks)
                if not path.is_file():
                    with atomic_path(path) as temporary:
                        temporary.write_text(json.dumps(run) + "\n", encoding="utf-8")
        except Timeout:
            continue
        print(f"{path.stem}: {len(run['wrong'])} errors, {run['seconds']:.0f} s", flush=True)


def main(argv: Sequence[str] | None = None) -> None:
    """Train what has not been trained yet, and print the tables of all results."""
    text = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(description=text, allow_abbrev=False)
    parser.add_argument("--data_dir", type=Path, default=Path("data"))
    parser.add_argument("--trainings", nargs="*", default=[], metavar="RECIPE[:SEED]")
    parser.add_argument("--folds", type=int, nargs="+", default=list(range(FOLDS)))
    parser.add_argument("--networks", type=Path, default=Path("output/cross_validation"))
    parser.add_argument("--table_only", action="store_true", help="train nothing")
    arguments = parser.parse_args(argv)
    configure_logging(logging.ERROR)
    if not arguments.table_only:
        _RESULTS.mkdir(parents=True, exist_ok=True)
        arguments.networks.mkdir(parents=True, exist_ok=True)
        trainings = _trainings(arguments.trainings)
        jobs = [(recipe, seed, fold) for recipe, seed in trainings for fold in arguments.folds]
        _train_all(jobs, arguments.data_dir, arguments.networks)
    print_tables(_RESULTS)


if __name__ == "__main__":
    main()
