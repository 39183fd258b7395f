"""From a trained network to a file that runs without this project."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from mnist_lightning.evaluation.inference import predict_logits
from mnist_lightning.evaluation.parity import ExportParity, measure_parity
from mnist_lightning.export.metadata import METADATA_FILE, Metadata
from mnist_lightning.files.archives import refuse_bomb
from mnist_lightning.files.storage import atomic_path


@dataclass(frozen=True)
class ExportedModel:
    """An exported file, loaded again and compared with the network it was made from.

    Attributes:
        model: The file, loaded again: uint8 ``(N, 1, 28, 28)`` to float32 ``(N, 10)``.
        logits: float32 ``(N, 10)``, what the file gives for the images it was compared on.
        expected: float32 ``(N, 10)``, what the network gives for them.
        parity: How far the two are apart.
    """

    model: torch.jit.ScriptModule
    logits: Tensor
    expected: Tensor
    parity: ExportParity


def export_torchscript(
    network: nn.Module, path: Path, images: Tensor, metadata: Metadata | None = None
) -> ExportedModel:
    """Write a network as TorchScript, load the file again and compare the two.

    The file holds the network alone, in float32 and evaluation mode, with batch normalisation
    folded into the convolutions and their weights laid out channels_last, which is up to twice as
    fast on a CPU.

    Args:
        network: uint8 ``(N, 1, 28, 28)`` to float32 ``(N, 10)``, scriptable.
        path: Where to write it; an older file is replaced in one step.
        images: uint8 ``(N, 1, 28, 28)``, to compare the file with the network on.
        metadata: What the file says about itself, as its extra file ``metadata.json``.

    Raises:
        UserError: The file's logits are not finite.
        OSError: The file cannot be written; an older one is left as it was.
    """
    network = deepcopy(network).cpu().float().eval().to(memory_format=torch.channels_last)
    with _torchscript_without_deprecation():
        frozen = torch.jit.freeze(torch.jit.script(network))
        with atomic_path(path) as temporary:
            extra = {METADATA_FILE: metadata.to_json()} if metadata else {}
            # In memory first: torch would turn a full disk into an error without its reason.
            content = io.BytesIO()
            torch.jit.save(frozen, content, _extra_files=extra)
            temporary.write_bytes(content.getbuffer())
    model = load_torchscript(path)
    expected, logits = predict_logits(network, images), predict_logits(model, images)
    parity = measure_parity("TorchScript", expected, logits)
    return ExportedModel(model, logits, expected, parity)


def load_torchscript(path: Path) -> torch.jit.ScriptModule:
    """Load an exported model onto the CPU.

    Args:
        path: A file written by ``export_torchscript``.

    Returns:
        The model, uint8 ``(N, 1, 28, 28)`` to float32 ``(N, 10)``.

    Raises:
        UserError: The file would unpack to far more than its own size.
        RuntimeError, ValueError: It is damaged or something else.
    """
    refuse_bomb(path)
    with _torchscript_without_deprecation():
        model: torch.jit.ScriptModule = torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]
    return model


@contextmanager
def _torchscript_without_deprecation() -> Iterator[None]:
    # PyTorch recommends torch.export instead; the study promises TorchScript, which LibTorch and
    # the mobile runtimes still load.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"`torch\.jit", category=FutureWarning)
        warnings.filterwarnings("ignore", message=r"`torch\.jit", category=DeprecationWarning)
        yield
