"""PyTorch's own successor of TorchScript: a ``.pt2`` file, made and loaded by ``torch.export``."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.export import Dim

from mnist_lightning.archive import refuse_bomb
from mnist_lightning.formats.metadata import METADATA_FILE, Metadata
from mnist_lightning.storage import atomic_path

# A batch of one would be taken for a constant.
EXAMPLE_BATCH = 2


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


def plain_copy(network: nn.Module) -> nn.Module:
    """Return the network as it is exported: on the CPU, in float32 and evaluation mode."""
    # The layout of the weights decides that of a .pt2 file's convolutions, and channels_last is up
    # to twice as fast on a CPU. ONNX knows no layouts: its files are the same.
    copy = deepcopy(network).cpu().float().eval().to(memory_format=torch.channels_last)
    return copy.requires_grad_(False)


def example() -> Tensor:
    """Return images to trace a network with."""
    return torch.zeros(EXAMPLE_BATCH, 1, 28, 28, dtype=torch.uint8)


@contextmanager
def quiet_torch() -> Iterator[None]:
    """Keep torch's exporters from warning of their own insides."""
    logger = logging.getLogger("torch")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=FutureWarning)
            warnings.filterwarnings("ignore", category=DeprecationWarning)
            warnings.filterwarnings("ignore", category=UserWarning, module=r"torch\b|onnx")
            yield
    finally:
        logger.setLevel(level)
