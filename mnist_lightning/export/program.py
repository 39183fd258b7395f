"""``torch.export``, the successor of TorchScript: ``.pt2`` files."""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.export import Dim

from mnist_lightning.export.metadata import METADATA_FILE, Metadata
from mnist_lightning.export.program_archive import checked_program
from mnist_lightning.export.tracing import example, plain_copy, quiet_torch
from mnist_lightning.files.storage import atomic_path


def export_program(network: nn.Module, path: Path, metadata: Metadata) -> None:
    """Write a network as an exported program for batches of any size.

    Args:
        network: uint8 ``(N, 1, 28, 28)`` to float32 ``(N, 10)``.
        path: Where to write it; an older file is replaced in one step.
        metadata: The file's description of itself, stored as its extra file ``metadata.json``.

    Raises:
        OSError: The file cannot be written; an older one stays unchanged.
    """
    with quiet_torch():
        program = torch.export.export(
            plain_copy(network), (example(),), dynamic_shapes=({0: Dim("batch", min=1)},)
        )
        # The stack traces would carry paths of this machine into the file.
        for node in program.graph.nodes:
            node.meta.pop("stack_trace", None)
        with atomic_path(path) as temporary:
            torch.export.save(program, temporary, extra_files={METADATA_FILE: metadata.to_json()})


def load_program(path: Path) -> nn.Module:
    """Load a ``.pt2`` file onto the CPU, if it contains nothing but a graph and tensors.

    Args:
        path: A file written by ``export_program``, or another one.

    Returns:
        uint8 ``(N, 1, 28, 28)`` to float32 ``(N, 10)``, in evaluation mode.

    Raises:
        UserError: The file would unpack to far more than its own size, or contains something that
            runs code or does input or output.
        Exception: The file is damaged; torch raises many kinds of errors.
    """
    content = checked_program(path)
    with quiet_torch():
        return _Program(torch.export.load(content).module())


class _Program(nn.Module):
    """Wraps a loaded program, which has no ``eval()``, in a module that is in evaluation mode."""

    def __init__(self, program: nn.Module) -> None:
        super().__init__()
        # Not registered as a child: programs refuse train() and eval(), and their attribute
        # ``training`` stays true.
        self._program = (program,)
        self.training = False

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self._program[0](images)
        return logits
