"""TorchScript: a ``.pt`` file that runs without this project, from Python, C++ or a phone."""

import io
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from mnist_lightning.evaluation.inference import predict_logits
from mnist_lightning.evaluation.parity import ExportParity, measure_parity
from mnist_lightning.export.metadata import METADATA_FILE, Metadata
from mnist_lightning.export.tracing import plain_copy, quiet_torch
from mnist_lightning.files.archives import refuse_bomb
from mnist_lightning.files.storage import atomic_path


@dataclass(frozen=True)
class ExportedModel:
    """An exported file, loaded again and compared with the network it was made from.

    Attributes:
        model: The loaded file: uint8 ``(N, 1, 28, 28)`` to float32 ``(N, 10)``.
        logits: float32 ``(N, 10)``, of the file for the images of the comparison.
        expected: float32 ``(N, 10)``, of the network for the same images.
        parity: How far the two differ.
    """

    model: torch.jit.ScriptModule
    logits: Tensor
    expected: Tensor
    parity: ExportParity


def export_torchscript(
    network: nn.Module, path: Path, images: Tensor, metadata: Metadata | None = None
) -> ExportedModel:
    """Write a network as TorchScript, load the file again and compare the two.

    The file holds the network in float32 and evaluation mode, with batch normalisation folded into
    the convolutions and their weights in channels_last layout, which is up to twice as fast on a
    CPU.

    Args:
        network: uint8 ``(N, 1, 28, 28)`` to float32 ``(N, 10)``, scriptable.
        path: Where to write it; an older file is replaced in one step.
        images: uint8 ``(N, 1, 28, 28)``, on which the file is compared with the network.
        metadata: The file's description of itself, stored as its extra file ``metadata.json``.

    Raises:
        UserError: The file's logits are not finite.
        OSError: The file cannot be written; an older one stays unchanged.
    """
    network = plain_copy(network)
    with quiet_torch():
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
    with quiet_torch():
        model: torch.jit.ScriptModule = torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]
    return model
