"""Writing checkpoints atomically, finding them, and reading them without running code."""

import io
import logging
import pickle
import warnings
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import TorchCheckpointIO
from torch import Tensor, nn

from mnist_lightning.errors import UserError, reason_of
from mnist_lightning.files.archives import refuse_bomb
from mnist_lightning.files.storage import atomic_path

log = logging.getLogger(__name__)

#: The folder of a run's checkpoints, and its two files: the newest and the one before it.
CHECKPOINTS = "checkpoints"
LAST = "last.ckpt"
PREVIOUS = "previous.ckpt"


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint to a temporary file in the same folder, syncs it and renames it.

    Lightning writes to the system's temporary folder. If that is on another disk, the final move
    is a copy, and a run killed while copying leaves an incomplete file.

    ``last.ckpt`` becomes ``previous.ckpt`` before a new one takes its place, so that a damaged
    newest checkpoint costs only the steps since the one before. A kill in between leaves
    ``previous.ckpt`` alone.
    """

    def __init__(self) -> None:
        super().__init__()
        #: The file that this process has read or written whole.
        self._intact: Path | None = None

    def load_checkpoint(self, path: str | Path, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Read one checkpoint, see TorchCheckpointIO."""
        checkpoint: dict[str, Any] = super().load_checkpoint(path, *args, **kwargs)
        self._intact = Path(path).resolve()
        return checkpoint

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Write one checkpoint.

        Raises:
            OSError: It cannot be written; an older file stays unchanged.
        """
        path = Path(path)
        # Into memory first: torch.save hides the reason of an OSError, such as a full disk.
        content = io.BytesIO()
        torch.save(checkpoint, content)
        with atomic_path(path) as temporary:
            temporary.write_bytes(content.getbuffer())
            # Another one may be damaged, and must not replace a valid previous.ckpt.
            if path.name == LAST and path.is_file() and path.resolve() == self._intact:
                path.replace(path.with_name(PREVIOUS))
        if path.name == LAST:
            self._intact = path.resolve()


def find_checkpoint(runs: Path, which: str) -> Path:
    """Find the checkpoint to resume from.

    Args:
        runs: Folder with the runs of one model, ``version_0`` and so on.
        which: ``last`` for the newest valid checkpoint of these runs, or a path.

    Raises:
        UserError: There is none, or the named file is damaged.
    """
    if which != "last":
        read_checkpoint(Path(which))
        return Path(which)
    files = (runs.glob(f"version_*/{CHECKPOINTS}/{name}") for name in (LAST, PREVIOUS))
    found = sorted(chain(*files), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    for path in found:
        if _is_valid(path):
            return path
    raise UserError(
        f"--ckpt_path last: there is no valid checkpoint in {runs}; omit the option to start a "
        "new run"
    )


def _is_valid(path: Path) -> bool:
    try:
        read_checkpoint(path)
    except UserError as error:
        log.warning("%s; skipping it", error)
        return False
    return True


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint without running code that it may contain.

    Raises:
        UserError: The file is missing, damaged or not a training checkpoint.
    """
    try:
        refuse_bomb(path)
    except UserError as error:
        raise UserError(f"--ckpt_path: {error}") from error
    try:
        with warnings.catch_warnings():
            # torch warns about pickles that it did not write; the checks below decide.
            warnings.simplefilter("ignore")
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UserError(f"--ckpt_path: there is no file {path}; check its name") from None
    except pickle.UnpicklingError:
        raise UserError(
            f"--ckpt_path: {path} is damaged, or contains code and was not loaded"
        ) from None
    except Exception as error:  # damaged bytes can make an unpickler raise nearly anything
        raise UserError(f"--ckpt_path: {path} is damaged ({reason_of(error):.80})") from None
    if not (
        isinstance(checkpoint, dict)
        and {"state_dict", "loops", "global_step"} <= checkpoint.keys()
        and isinstance(checkpoint["state_dict"], dict)
    ):
        raise UserError(f"--ckpt_path: {path} is not a training checkpoint")
    return checkpoint


def check_fits(checkpoint: dict[str, Any], path: Path, module: nn.Module) -> None:
    """Check that the names and shapes of a checkpoint's weights are those of a model.

    Raises:
        UserError: They differ; the message names the first difference.
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
        raise UserError(
            f"--ckpt_path: {path} is of another model: {problem}; name a checkpoint of this one"
        )
