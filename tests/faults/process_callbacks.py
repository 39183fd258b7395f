"""Callbacks that tests add to the processes of a training through the command line."""

import os
import signal
from pathlib import Path
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer


class Signal(Callback):
    """Sends a signal to the process of one rank in a step, counted from 1.

    Args:
        rank: The process.
        step: The step.
        signum: The signal.
        group: Send it to all processes of the group, as a terminal does on Ctrl-C.
    """

    def __init__(self, rank: int, step: int, signum: int, group: bool = False) -> None:
        self.rank, self.step, self.signum = rank, step, signum
        self.group = group

    def on_before_optimizer_step(self, trainer: Trainer, *args: Any) -> None:
        """Send it."""
        if (trainer.global_rank, trainer.global_step + 1) == (self.rank, self.step):
            # 0 is the own process group.
            os.killpg(0, self.signum) if self.group else os.kill(os.getpid(), self.signum)
            if self.signum == signal.SIGSTOP:
                # If the stopped process is continued, it must not train on.
                os._exit(9)


class Witness(Callback):
    """Saves the final weights of each rank and the images of its last epoch.

    Args:
        folder: Folder of ``rank_N.pt``.
    """

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)
        self.images: list[torch.Tensor] = []

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget the epoch before."""
        self.images.clear()

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Remember the distorted images of the step."""
        self.images.append(batch[0].clone())

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save both."""
        kept = {"weights": pl_module.network.state_dict(), "images": torch.cat(self.images)}
        self.folder.mkdir(parents=True, exist_ok=True)
        torch.save(kept, self.folder / f"rank_{trainer.global_rank}.pt")
