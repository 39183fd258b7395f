"""The TensorBoard logger of a run, in a folder that no other run uses."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only

from mnist_lightning.records.record import Record
from mnist_lightning.training.processes import is_first_process


class RunLogger(TensorBoardLogger):
    """TensorBoard events in ``<save_dir>/<name>/version_N``, each N taken by one run only.

    Args:
        save_dir: Folder of all runs.
        name: Name of the model.
        version: The run to continue; None starts a new one.
        purge_step: First step whose earlier events TensorBoard discards, because a resumed run
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
        if not is_first_process():
            return version
        # Create the folder now, so that two runs that start together do not share it.
        while True:
            with suppress(FileExistsError):
                Path(self.root_dir, f"version_{version}").mkdir(parents=True)
                return version
            version += 1

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log metrics, without what would be a chart of one point.

        Lightning adds the epoch to the metrics of the test, and ``log_results`` logs those. A full
        disk raises OSError, not the misleading ValueError of Lightning.
        """
        curves = {
            name: value
            for name, value in metrics.items()
            if name != "epoch" and not name.startswith("test/")
        }
        with self._named_errors():
            super().log_metrics(curves, step)

    @rank_zero_only
    def save(self) -> None:
        """Flush the events. Lightning's hparams.yaml would repeat config.yaml."""
        with self._named_errors():
            self.experiment.flush()

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Flush but keep the writer open: training, test and figures go into one event file."""
        self.save()

    def log_results(self, record: Record, figures: Mapping[str, Any], batch_size: int) -> None:
        """Log the test results and the hyperparameters, and close the event file.

        TensorBoard opens the first two groups of names in alphabetical order, which are the curves
        in ``train`` and ``val``. Results therefore follow in ``verdict``.

        Args:
            record: The record of the training.
            figures: matplotlib figures by name, small enough for a card of TensorBoard.
            batch_size: Images per training batch.
        """
        # After the last step: TensorBoard discards them when the finished run is resumed.
        step = record.training.steps + 1
        for kind, figure in figures.items():
            self.experiment.add_figure(f"verdict/{kind}", figure, global_step=step)
        settings = {
            **record.model.hyperparameters,
            "seed": record.training.seed,
            "batch_size": batch_size,
            "epochs": record.training.epochs,
            "parameters": record.model.parameters.total,
        }
        final = {
            "verdict/test_accuracy": record.test.accuracy,
            "verdict/test_loss": record.test.loss,
        }
        self.log_hyperparams(settings, final, step=step)
        self.experiment.close()

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        """Add the folder's name to an OSError of TensorBoard's writer thread, and raise it."""
        try:
            yield
        except (OSError, ValueError) as error:
            cause = error if isinstance(error, OSError) else error.__cause__
            if not isinstance(cause, OSError):
                raise
            cause.filename = cause.filename or self.log_dir
            raise cause from None
