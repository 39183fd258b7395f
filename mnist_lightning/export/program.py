"""PyTorch's own successor of TorchScript: a ``.pt2`` file, made and loaded by ``torch.export``."""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.export import Dim

from mnist_lightning.export.metadata import METADATA_FILE, Metadata
from mnist_lightning.export.tracing import example, plain_copy, quiet_torch
from mnist_lightning.files.archives import refuse_bomb
from mnist_lightning.files.storage import atomic_path


def export_program(network: nn.Module, path: Path, metadata: Metadata) -> None:
    """Write a network as a program of ``torch.export``, for batches of any size.

    Args:
        network: uint8 ``(N, 1, 28, 28)`` to float32 ``(N, 10)``.
        path: Where to write it; an older file is replaced in one step.
        metadata: What the file says about itself, as its extra file ``metadata.json``.

    Raises:
        OSError: The file cannot be written; an older one is left as it was.
    """
    with quiet_torch():
        program = torch.export.export(
            plain_copy(network), (example(),), dynamic_shapes=({0: Dim("batch", min=1)},)
        )
        # The trace of the source would carry paths of this machine into the file.
        for node in program.graph.nodes:
            node.meta.pop("stack_trace", None)
        with atomic_path(path) as temporary:
            torch.export.save(program, temporary, extra_files={METADATA_FILE: metadata.to_json()})


def load_program(path: Path) -> nn.Module:
    """Load a ``.pt2`` file onto the CPU.

    Args:
        path: A file written by ``export_program``.

    Returns:
        uint8 ``(N, 1, 28, 28)`` to float32 ``(N, 10)``, in evaluation mode.

    Raises:
        UserError: The file would unpack to far more than its own size.
        Exception: The file is damaged; torch says so in many ways.
    """
    refuse_bomb(path)
    with quiet_torch():
        return _Program(torch.export.load(path).module())


class _Program(nn.Module):
    """A loaded program, which has no mode to switch, in a module that says it is evaluating."""

    def __init__(self, program: nn.Module) -> None:
        super().__init__()
        # Not a child: programs refuse train() and eval(), and keep the attribute of training.
        self._program = (program,)
        self.training = False

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self._program[0](images)
        return logits
