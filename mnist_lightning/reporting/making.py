"""How a model was made, in words that every report uses."""

import shlex

from mnist_lightning.evaluation.record import Record


def seeds_of(record: Record) -> str:
    """Name the seed of a training, or those of an ensemble's members, e.g. ``0, 1, 2``."""
    members = record.members
    return ", ".join(map(str, members.seeds)) if members else str(record.training.seed)


def commands_of(record: Record) -> list[str]:
    """Return the command lines that make a model: its training, and for an ensemble its making."""
    training = f"python scripts/train.py {shlex.join(record.training.command)}"
    if record.members is None:
        return [training]
    return [training, f"{record.making_command} --seeds {seeds_of(record).replace(',', '')}"]
