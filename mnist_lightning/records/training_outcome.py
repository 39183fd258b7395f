"""What a training hands over to be exported, measured and recorded."""

from dataclasses import dataclass

import pandas as pd

from mnist_lightning.records.record import DatasetDescription, NetworkDescription, Training


@dataclass(frozen=True, eq=False)
class Trained:
    """The part of a record that is known before the export.

    Attributes:
        network: The network.
        dataset: The dataset of the training, the validation and the test.
        training: How it was trained.
        trainer_test: See :class:`~mnist_lightning.records.record.Record`.
        command: The command line that writes the files, as one string.
        history: One row per epoch, collected by
            :class:`~mnist_lightning.training.history.History`; None for an ensemble.
        step_losses: Training loss by step, of a run that is too short for a curve over epochs; else
            empty or None.
        history_note: How the columns of ``history`` were measured, for the figure.
    """

    network: NetworkDescription
    dataset: DatasetDescription
    training: Training
    trainer_test: dict[str, float]
    command: str
    history: pd.DataFrame | None = None
    step_losses: "pd.Series[float] | None" = None
    history_note: str = ""
