"""The members of an ensemble: what a training with several seeds kept of each, checked."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mnist_lightning.contestants import TOLERANCE, verify
from mnist_lightning.ensemble import remedy
from mnist_lightning.errors import OutputError
from mnist_lightning.evaluation.predictions import Predictions, read_predictions
from mnist_lightning.evaluation.record import Record, describe_file, read_record
from mnist_lightning.evaluation.schema import FileDescription
from mnist_lightning.evaluation.seeds import recipe, seed_folder
from mnist_lightning.loading import load_network

SEED = "--seed_everything"


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
    _check_file(path, record.model.file, mend)
    _check_file(predictions_path, record.predictions, mend)
    return Member(seed, record, path, read_predictions(predictions_path, preset), mend)


def _check_file(path: Path, described: FileDescription, mend: str) -> None:
    if describe_file(path).sha256 != described.sha256:
        raise OutputError(f"{path} is not the file that its record speaks of: {mend}.")


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
