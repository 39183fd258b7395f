"""Checkpoint files that are either whole or not there."""

import io
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import TorchCheckpointIO

from mnist_lightning.storage import atomic_path


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint beside its place, flushes it to the disk and moves it there.

    Lightning's own way writes to the system's folder for temporary files. Where that is on another
    disk, the move is a copy, and a run that is killed while it copies leaves half a file.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Write one checkpoint.

        Raises:
            OSError: It cannot be written; an older file is left as it was.
        """
        # In memory first: torch.save would turn a full disk into an error without its reason.
        content = io.BytesIO()
        torch.save(checkpoint, content)
        with atomic_path(Path(path)) as temporary, temporary.open("wb") as file:
            file.write(content.getbuffer())
