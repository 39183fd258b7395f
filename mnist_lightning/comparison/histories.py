"""The training histories of compared models, if their runs still exist."""

import logging
import math
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from mnist_lightning.comparison.schema import ComparedModel
from mnist_lightning.comparison.seed_study import seed_folder

log = logging.getLogger(__name__)

COLUMNS = ["epoch", "train/loss", "val/loss", "train/accuracy", "val/accuracy"]


def read_histories(output_dir: Path, models: Iterable[ComparedModel]) -> dict[str, pd.DataFrame]:
    """Read ``runs/<name>/version_*/metrics.csv``, the newest of each model.

    A model that comes from a training with ``--seeds`` has its run in the folder of its seed.

    Args:
        output_dir: The output folder.
        models: The models. One is left out if it has no such file, or if the newest is not that of
            the compared training.

    Returns:
        The histories by model name, with a row for each epoch.
    """
    histories = {}
    for model in models:
        of_seed = seed_folder(output_dir, model.name) / f"seed_{model.training.seed}"
        for folder in (output_dir, of_seed):
            if model.name not in histories and (history := _newest(folder, model)) is not None:
                histories[model.name] = history
    return histories


def _newest(folder: Path, model: ComparedModel) -> pd.DataFrame | None:
    paths = (folder / "runs" / model.name).glob("version_*/metrics.csv")
    newest = max(paths, key=lambda path: path.stat().st_mtime_ns, default=None)
    if newest is None:
        return None
    try:
        history = pd.read_csv(newest)
        return history if _belongs_to(history, model) else None
    except (OSError, ValueError) as error:
        # The rest of the comparison, which took minutes, does not depend on this file.
        log.warning("leaving out the learning curves of %s: %s", newest, error)
        return None


def _belongs_to(history: pd.DataFrame, model: ComparedModel) -> bool:
    """Return whether a history is that of a model's training and not of a later run."""
    training = model.training
    if not set(COLUMNS) <= set(history) or len(history) != training.epochs:
        return False
    loss = training.train_loss
    return loss is not None and math.isclose(history["train/loss"].iloc[-1], loss, rel_tol=1e-6)
