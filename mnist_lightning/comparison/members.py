"""The members of an ensemble: what a training with several seeds kept of each, checked."""

import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mnist_lightning.comparison.loaded_models import TOLERANCE, verify
from mnist_lightning.comparison.seed_study import recipe, seed_folder
from mnist_lightning.data.digits import DigitDataset, Digits
from mnist_lightning.errors import OutputError, UserError
from mnist_lightning.export.loading import load_network
from mnist_lightning.files.identity import check_file
from mnist_lightning.records.artefacts import COMPLETE
from mnist_lightning.records.predictions import Predictions, read_predictions
from mnist_lightning.records.record import Record, read_record

SEED = "--seed_everything"
#: Members of an ensemble, unless the user names seeds.
SIZE = 5


@dataclass(frozen=True, eq=False)
class Member:
    """One seed of a training.

    Attributes:
        seed: The seed.
        record: Its record.
        path: Its exported file.
        predictions: Its recorded predictions.
        remedy: What to do if its files are not what they should be.
    """

    seed: int
    record: Record
    path: Path
    predictions: Predictions
    remedy: str


def choose_seeds(
    output_dir: Path, name: str, wanted: Sequence[int] | None, preset: str
) -> list[int]:
    """Decide which seeds to average.

    Args:
        output_dir: Folder of the artefacts.
        name: The model's name.
        wanted: The seeds, or None for all whose exported file and predictions were kept.
        preset: What ``--model`` of ``train.py`` takes to train the model.

    Returns:
        At least two seeds, as they were asked for or else ascending.

    Raises:
        UserError: A seed is given twice, or there is only one.
        OutputError: Files are missing.
    """
    if wanted is not None and len(set(wanted)) < max(2, len(wanted)):
        raise UserError(
            f"--seeds needs two or more different seeds, not '{' '.join(map(str, wanted))}'"
        )

    folder = seed_folder(output_dir, name)
    seeds = _recorded(folder) if wanted is None else list(wanted)
    missing = {seed: lost for seed in seeds if (lost := _missing(folder, seed))}
    if missing and wanted is not None:
        lost = next(iter(missing.values()))
        mend = remedy(folder, missing, seeds, preset)
        raise OutputError(f"There is no {folder / lost[0]}: {mend}.")
    for seed, lost in missing.items():
        print(f"leaving out seed {seed}: {folder} has no {', '.join(lost)}", file=sys.stderr)
    complete = [seed for seed in seeds if seed not in missing]
    if len(complete) < 2:
        enough = list(dict.fromkeys([*seeds, *range(SIZE)]))[: max(SIZE, len(seeds))]
        raise OutputError(
            f"There are fewer than two complete seeds in {folder}: "
            f"{remedy(folder, missing, enough, preset)}."
        )
    return complete


def remedy(folder: Path, lost: Iterable[int], seeds: Sequence[int], preset: str) -> str:
    """Say how the files of seeds are made again.

    Args:
        folder: Where they lie.
        lost: The seeds. A record says that its seed is done, so that it has to go first.
        seeds: All seeds of the ensemble: one command trains them, and skips those that are done.
        preset: What ``--model`` of ``train.py`` takes to train the model.
    """
    records = [f"seed_{seed}{COMPLETE[-1]}" for seed in lost]
    there = [name for name in records if (folder / name).is_file()]
    delete = f"delete {', '.join(there)} there and " if there else ""
    words = " ".join(map(str, seeds))
    return f"{delete}run `python scripts/train.py --model {preset} --seeds {words}`"


def read_members(output_dir: Path, name: str, seeds: Sequence[int], preset: str) -> list[Member]:
    """Read what was kept of seeds, and check that it belongs together.

    Args:
        output_dir: Folder of the artefacts.
        name: The model's name.
        seeds: The seeds, each once.
        preset: What ``--model`` of ``train.py`` takes to train the model.

    Returns:
        The members, in order. Their networks are not loaded.

    Raises:
        OutputError: A file is missing, damaged or not the one in its record, or the seeds are not
            of one recipe on one dataset.
    """
    folder = seed_folder(output_dir, name)
    members = [_read(folder, seed, seeds, preset) for seed in seeds]
    for member in members[1:]:
        _check_alike(members[0], member)
    return members


def load_networks(members: Sequence[Member], images: Tensor) -> list[torch.jit.ScriptModule]:
    """Load the exported files of members, and compare each with its predictions.

    Args:
        members: The members.
        images: uint8, ``(N, 1, 28, 28)``, the test images.

    Returns:
        Their networks, in order, on the CPU.

    Raises:
        OutputError: A file is damaged or not what the predictions came from.
    """
    networks = []
    for member in members:
        network = load_network(member.path)
        assert isinstance(network, torch.jit.ScriptModule)
        difference = verify(network, member.predictions.test, images).max_abs_difference
        if difference > TOLERANCE:
            raise OutputError(
                f"{member.path} gives other probabilities than its predictions hold (they differ "
                f"by up to {difference:.2g}): {member.remedy}."
            )
        networks.append(network)
    return networks


def validation_images(members: Sequence[Member], dataset: DigitDataset) -> tuple[Digits, Tensor]:
    """Return the images that all members were validated on, and their positions.

    Args:
        members: The members.
        dataset: The data they were trained on.

    Returns:
        The images and int64 ``(M,)``, their positions among the training images.
    """
    places = torch.from_numpy(members[0].predictions.validation.indices)
    return dataset.train[places], places


def shared_command(record: Record) -> list[str]:
    """Return the command line of a training without its seed."""
    words = list(record.training.command)
    if SEED in words:
        place = words.index(SEED)
        del words[place : place + 2]
    return words


def _read(folder: Path, seed: int, seeds: Sequence[int], preset: str) -> Member:
    path, predictions_path, record_path = (
        folder / f"seed_{seed}_{end}" for end in ("model.pt", "predictions.npz", "metrics.json")
    )
    mend = remedy(folder, [seed], seeds, preset)
    record = read_record(record_path, preset)
    check_file(folder, replace(record.model.file, name=path.name), mend)
    check_file(folder, replace(record.predictions, name=predictions_path.name), mend)
    return Member(seed, record, path, read_predictions(predictions_path, preset), mend)


def _check_alike(first: Member, other: Member) -> None:
    ours, theirs = first.record.dataset, other.record.dataset
    pair = f"seed {other.seed} and seed {first.seed}"
    choose = "name seeds that belong together with --seeds, or"
    if theirs.fingerprint != ours.fingerprint:
        raise OutputError(
            f"{pair} were trained on different data, {theirs.label} and {ours.label}: {choose} "
            f"{other.remedy}."
        )
    if recipe(other.record) != recipe(first.record) or (
        shared_command(other.record) != shared_command(first.record)
    ):
        raise OutputError(
            f"{pair} were trained by different recipes or commands: {choose} {other.remedy}."
        )
    if not np.array_equal(
        first.predictions.validation.indices, other.predictions.validation.indices
    ):
        # One would have learned the images that another is validated on.
        raise OutputError(f"{pair} were validated on different images: {choose} {other.remedy}.")


def subset_accuracies(
    probabilities: npt.NDArray[np.float32],
    labels: npt.NDArray[np.int64],
    subsets: Sequence[tuple[int, ...]],
) -> list[float]:
    """Measure the mean of the probabilities of each subset of models.

    Args:
        probabilities: float32, ``(K, N, 10)``, of K models for the same N images.
        labels: int64, ``(N,)``, 0 to 9.
        subsets: Places among the K, at least one in each subset.

    Returns:
        The accuracy of each subset, 0 to 1, in order.
    """
    # In double precision: a sum shall not depend on the order of the models.
    exact = probabilities.astype(np.float64)
    return [
        float((exact[list(subset)].sum(axis=0).argmax(axis=1) == labels).mean())
        for subset in subsets
    ]


def _recorded(folder: Path) -> list[int]:
    names = [re.fullmatch(rf"seed_(\d+){COMPLETE[-1]}", path.name) for path in folder.glob("*")]
    return sorted(int(found[1]) for found in names if found)


def _missing(folder: Path, seed: int) -> list[str]:
    names = [f"seed_{seed}{end}" for end in COMPLETE]
    return [name for name in names if not (folder / name).is_file()]
