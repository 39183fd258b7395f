"""TensorBoard events of a run, in a folder that no other run uses."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only

from mnist_lightning.records.record import Record


class RunLogger(TensorBoardLogger):
    """TensorBoard events in ``<save_dir>/<name>/version_N``, each N taken by one run only.

    Args:
        save_dir: Folder of all runs.
        name: Name of the model.
        version: The run to continue; None begins a new one.
        purge_step: First step whose earlier events TensorBoard is to forget, because a resumed run
            logs them again.
    """

    def __init__(
        self, save_dir: Path, name: str, version: int | None = None, purge_step: int | None = None
    ) -> None:
        super().__init__(
            save_dir, name=name, version=version, default_hp_metric=False, purge_step=purge_step
        )

    def _get_next_version(self) -> int:
        version = super()._get_next_version()
        # The folder is made here and now, so that two runs that begin together do not share it.
        while getattr(rank_zero_only, "rank", 0) == 0:
            try:
                Path(self.root_dir, f"version_{version}").mkdir(parents=True)
                break
            except FileExistsError:
                version += 1
        return version

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log; a full disk is an OSError, where Lightning says that a number is not supported."""
        try:
            with self._named():
                super().log_metrics(metrics, step)
        except ValueError as error:
            if isinstance(error.__cause__, OSError):
                raise error.__cause__ from None
            raise

    @rank_zero_only
    def save(self) -> None:
        """Flush the events. Lightning's hparams.yaml would repeat config.yaml."""
        with self._named():
            self.experiment.flush()

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Flush and stay open: training, test and figures go into one file of events."""
        with self._named():
            self.experiment.flush()

    def log_results(self, record: Record, figures: Mapping[str, Any], batch_size: int) -> None:
        """Log the figures about the test images and the hyperparameters, and close the events.

        Args:
            record: The record of the training.
            figures: By the last part of their file names.
            batch_size: Images in a training batch.
        """
        for kind in ("confusion_matrix", "examples"):
            self.experiment.add_figure(kind, figures[kind], global_step=record.training.steps)
        settings = {
            **record.model.hyperparameters,
            "seed": record.training.seed,
            "batch_size": batch_size,
            "epochs": record.training.epochs,
            "parameters": record.model.parameters.total,
        }
        final = {"hp/test_accuracy": record.test.accuracy, "hp/test_loss": record.test.loss}
        self.log_hyperparams(settings, final)
        self.experiment.close()

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Name the folder in an error of the thread that writes the events."""
        try:
            yield
        except (OSError, ValueError) as error:
            cause = error if isinstance(error, OSError) else error.__cause__
            if isinstance(cause, OSError) and cause.filename is None:
                cause.filename = self.log_dir
            raise
