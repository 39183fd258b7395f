"""The members of an ensemble: the kept files of a training with several seeds, checked."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from mnist_lightning.comparison.loaded_models import verify
from mnist_lightning.comparison.seed_study import recipe, recorded_seeds, seed_folder
from mnist_lightning.data.digits import DigitDataset, HeldOutDigits
from mnist_lightning.errors import OutputError, UserError
from mnist_lightning.export.weights import network_from_weights
from mnist_lightning.files.identity import check_file
from mnist_lightning.records.artefacts import PREDICTIONS, RECORD, WEIGHTS, kept_files
from mnist_lightning.records.predictions import Predictions, read_predictions
from mnist_lightning.records.record import Record, read_record
from mnist_lightning.terminal.presets import take_option

log = logging.getLogger(__name__)

#: Number of members, unless the user names seeds.
SIZE = 5


@dataclass(frozen=True, eq=False)
class Member:
    """One seed of a training.

    Attributes:
        seed: The seed.
        record: Its record.
        weights: The file of its weights.
        predictions: Its recorded predictions.
        remedy: What to do if a file is not the recorded one, for messages.
    """

    seed: int
    record: Record
    weights: Path
    predictions: Predictions
    remedy: str


def choose_seeds(
    output_dir: Path, name: str, wanted: Sequence[int] | None, preset: str
) -> list[int]:
    """Choose the seeds to average.

    Args:
        output_dir: Folder of the artefacts.
        name: The model's name.
        wanted: The seeds, or None for all whose files were kept.
        preset: The value of ``--model`` that trains the model.

    Returns:
        At least two seeds, in the order of ``wanted`` or else ascending.

    Raises:
        UserError: A seed is given twice, or there is only one.
        OutputError: Files are missing.
    """
    if wanted is not None and len(set(wanted)) < max(2, len(wanted)):
        raise UserError(
            f"--seeds needs two or more different seeds, not '{' '.join(map(str, wanted))}'"
        )

    folder = seed_folder(output_dir, name)
    seeds = recorded_seeds(folder) if wanted is None else list(wanted)
    missing = {seed: lost for seed in seeds if (lost := _missing(folder, seed))}
    if missing and wanted is not None:
        lost = next(iter(missing.values()))
        raise OutputError(f"There is no {folder / lost[0]}: {remedy(seeds, preset)}.")
    complete = [seed for seed in seeds if seed not in missing]
    if len(complete) < 2:
        enough = list(dict.fromkeys([*seeds, *range(SIZE)]))[: max(SIZE, len(seeds))]
        raise OutputError(
            f"There are fewer than two complete seeds in {folder}: {remedy(enough, preset)}."
        )
    for seed, lost in missing.items():
        log.info("leaving out seed %d: %s has no %s", seed, folder, ", ".join(lost))
    return complete


def remedy(seeds: Sequence[int], preset: str) -> str:
    """Return the command that produces the files of seeds, for messages.

    Args:
        seeds: All seeds of the ensemble: one command trains those that are not complete.
        preset: The value of ``--model`` that trains the model.
    """
    return f"run `python scripts/train.py --model {preset} --seeds {' '.join(map(str, seeds))}`"


def read_members(output_dir: Path, name: str, seeds: Sequence[int], preset: str) -> list[Member]:
    """Read the kept files of seeds, and check that they belong together.

    Args:
        output_dir: Folder of the artefacts.
        name: The model's name.
        seeds: The seeds, each once.
        preset: The value of ``--model`` that trains the model.

    Returns:
        The members, in order. Their networks are not loaded.

    Raises:
        OutputError: A file is missing, damaged or not the one in its record, or the seeds were not
            trained by the same command on the same dataset.
    """
    folder = seed_folder(output_dir, name)
    members = [_read(folder, seed, seeds, preset) for seed in seeds]
    for member in members[1:]:
        _check_alike(members[0], member)
    return members


def load_networks(members: Sequence[Member], images: Tensor) -> list[nn.Module]:
    """Build the networks of members, and compare each with its recorded predictions.

    Args:
        members: The members.
        images: uint8, ``(N, 1, 28, 28)``, the test images.

    Returns:
        Their networks, in order, on the CPU, in eval mode.

    Raises:
        OutputError: A file is damaged or does not give the recorded predictions.
    """
    networks = []
    for member in members:
        network = network_from_weights(member.record, member.weights, member.remedy)
        verify(member.weights, network, member.predictions.test, images, member.remedy)
        networks.append(network)
    return networks


def held_out(members: Sequence[Member], dataset: DigitDataset) -> HeldOutDigits:
    """Return the test images, and the validation images that all members share.

    Args:
        members: The members.
        dataset: The data they were trained on.
    """
    positions = torch.from_numpy(_validated(members[0]))
    return HeldOutDigits(dataset.test, dataset.train[positions], positions)


def shared_command(record: Record) -> list[str]:
    """Return the command line of a training without its seed."""
    return take_option(record.training.command, "--seed_everything")[1]


def _read(folder: Path, seed: int, seeds: Sequence[int], preset: str) -> Member:
    again = remedy(seeds, preset)
    record = read_record(folder / f"seed_{seed}{RECORD}", preset)
    described = replace(record.predictions, name=f"seed_{seed}{PREDICTIONS}")
    predictions = read_predictions(check_file(folder, described, again), preset)
    return Member(seed, record, folder / f"seed_{seed}{WEIGHTS}", predictions, again)


def _check_alike(first: Member, other: Member) -> None:
    ours, theirs = first.record.dataset, other.record.dataset
    if theirs.fingerprint != ours.fingerprint:
        problem = f"trained on different data, {theirs.label} and {ours.label}"
    elif _recipe(other) != _recipe(first):
        problem = "trained by different recipes or commands"
    elif not np.array_equal(_validated(first), _validated(other)):
        # One of them was trained on validation images of the other.
        problem = "validated on different images"
    elif (first.record.model.temperature is None) != (other.record.model.temperature is None):
        # In the mean of their probabilities, the less confident one would have less weight.
        problem = "exported by different versions, only one of which calibrates"
    else:
        return
    raise OutputError(
        f"seed {other.seed} and seed {first.seed} were {problem}: name seeds that belong together "
        f"with --seeds, or {other.remedy}."
    )


def _recipe(member: Member) -> tuple[object, ...]:
    return recipe(member.record), shared_command(member.record)


def _validated(member: Member) -> npt.NDArray[np.int64]:
    return member.predictions.validation.indices


def _missing(folder: Path, seed: int) -> list[str]:
    return [file.name for file in kept_files(folder, f"seed_{seed}") if not file.is_file()]
