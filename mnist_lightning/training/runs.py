"""The folders of runs, and the checkpoints in them."""

import logging
import pickle
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor, nn

from mnist_lightning.archive import refuse_bomb
from mnist_lightning.errors import UserError

log = logging.getLogger(__name__)

CHECKPOINTS = "checkpoints"
LAST = "last.ckpt"
BEST = "best.ckpt"


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


def find_checkpoint(runs: Path, which: str) -> Path:
    """Find the checkpoint to resume from.

    Args:
        runs: Folder with the runs of one model, ``version_0`` and so on.
        which: ``last`` for the newest sound checkpoint of these runs, or a path.

    Raises:
        UserError: There is none, or the file is damaged.
    """
    if which != "last":
        read_checkpoint(Path(which))
        return Path(which)
    found = [path for name in (LAST, BEST) for path in runs.glob(f"version_*/{CHECKPOINTS}/{name}")]
    for path in sorted(found, key=lambda path: path.stat().st_mtime_ns, reverse=True):
        if _is_sound(path):
            return path
    raise UserError(
        f"--ckpt_path last: there is no sound checkpoint in {runs}; leave the option out to begin"
    )


def _is_sound(path: Path) -> bool:
    try:
        read_checkpoint(path)
    except UserError as error:
        log.warning("%s; it is skipped", error)
        return False
    return True


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint without running any code that it may carry.

    Raises:
        UserError: The file is missing, damaged, or not a checkpoint of a training.
    """
    try:
        refuse_bomb(path)
    except UserError as error:
        raise UserError(f"--ckpt_path: {error}") from error
    try:
        with warnings.catch_warnings():
            # torch warns of pickles that it did not write; they are judged by their content.
            warnings.simplefilter("ignore")
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UserError(f"--ckpt_path: there is no file {path}") from None
    except pickle.UnpicklingError:
        raise UserError(
            f"--ckpt_path: {path} is damaged, or holds more than numbers and was not loaded"
        ) from None
    except Exception as error:  # foreign bytes can make an unpickler raise nearly anything
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"--ckpt_path: {path} is damaged ({reason:.80})") from None
    if not (
        isinstance(checkpoint, dict)
        and {"state_dict", "loops", "global_step"} <= checkpoint.keys()
        and isinstance(checkpoint["state_dict"], dict)
    ):
        raise UserError(f"--ckpt_path: {path} is not the checkpoint of a training")
    return checkpoint


def check_fits(checkpoint: dict[str, Any], path: Path, module: nn.Module) -> None:
    """Make sure that a checkpoint belongs to a model before anything is changed.

    Raises:
        UserError: It is of another model; the first difference is named.
    """
    mine, theirs = module.state_dict(), checkpoint["state_dict"]
    for name in sorted(mine.keys() | theirs.keys(), key=str):
        if name not in mine or name not in theirs:
            problem = f"'{name}' is only in {'the checkpoint' if name in theirs else 'the model'}"
        elif not isinstance(theirs[name], Tensor):
            problem = f"'{name}' is not a tensor in the checkpoint"
        elif mine[name].shape != theirs[name].shape:
            shapes = tuple(theirs[name].shape), tuple(mine[name].shape)
            problem = f"'{name}' is {shapes[0]} in the checkpoint and {shapes[1]} in the model"
        else:
            continue
        raise UserError(f"--ckpt_path: {path} is of another model: {problem}")
