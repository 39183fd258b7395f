"""The training histories of compared models, where their runs are still there."""

import logging
import math
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from mnist_lightning.comparison.schema import ComparedModel

log = logging.getLogger(__name__)

COLUMNS = ["epoch", "train/loss", "val/loss", "train/accuracy", "val/accuracy"]


def read_histories(output_dir: Path, models: Iterable[ComparedModel]) -> dict[str, pd.DataFrame]:
    """Read ``runs/<name>/version_*/metrics.csv``, the newest of each model.

    Args:
        output_dir: The output folder.
        models: The models. One is left out if it has no such file, or if the newest is not that of
            the compared training.

    Returns:
        The histories by model name, with a row for each epoch.
    """
    histories = {}
    for model in models:
        paths = (output_dir / "runs" / model.name).glob("version_*/metrics.csv")
        newest = max(paths, key=lambda path: path.stat().st_mtime_ns, default=None)
        if newest is None:
            continue
        try:
            history = pd.read_csv(newest)
            if _belongs_to(history, model):
                histories[model.name] = history
        except (OSError, ValueError) as error:
            # The rest of the comparison, which took minutes, does not depend on this file.
            log.warning("leaving out the learning curves of %s: %s", newest, error)
    return histories


def _belongs_to(history: pd.DataFrame, model: ComparedModel) -> bool:
    """Return whether a history is that of a model's training and not of a later run."""
    training = model.training
    if not set(COLUMNS) <= set(history) or len(history) != training.epochs:
        return False
    loss = training.train_loss
    return loss is not None and math.isclose(history["train/loss"].iloc[-1], loss, rel_tol=1e-6)
