"""ONNX files, for other runtimes and languages; they need the extra ``export``."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mnist_lightning.data.digits import SIDE
from mnist_lightning.errors import UserError
from mnist_lightning.export.metadata import Metadata
from mnist_lightning.export.operators import RefusedError, refusing
from mnist_lightning.export.tracing import example, plain_copy, quiet_torch
from mnist_lightning.files.storage import atomic_path

PACKAGES = ("onnx", "onnxscript", "onnxruntime")
INSTALL = 'pip install "mnist-lightning[export]"'
INPUT_SHAPE = [1, SIDE, SIDE]


def missing_packages() -> list[str]:
    """Return the packages of the extra that are not installed."""
    return [name for name in PACKAGES if find_spec(name) is None]


def require_onnx() -> None:
    """Raise a ``UserError`` with the command that installs the extra if it is not installed."""
    if missing := missing_packages():
        raise UserError(f"ONNX needs {', '.join(missing)}: {INSTALL}")


def export_onnx(network: nn.Module, path: Path, metadata: Metadata) -> None:
    """Write a network as one ONNX file, weights inside, for batches of any size.

    Args:
        network: uint8 ``(N, 1, 28, 28)`` to float32 ``(N, 10)``.
        path: Where to write it; an older file is replaced in one step.
        metadata: The file's description of itself, stored as its metadata properties.

    Raises:
        UserError: A package is missing.
        OSError: The file cannot be written; an older one stays unchanged.
    """
    require_onnx()
    import onnx

    with quiet_torch():
        program = torch.onnx.export(
            plain_copy(network),
            (example(),),
            dynamo=True,
            input_names=["images"],
            output_names=["logits"],
            dynamic_shapes=({0: torch.export.Dim("batch", min=1)},),
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    # The stack traces would carry paths of this machine into the file.
    del model.graph.metadata_props[:]
    for node in model.graph.node:
        del node.metadata_props[:]
    onnx.helper.set_model_props(model, metadata.entries())
    onnx.checker.check_model(model, full_check=True)
    with atomic_path(path) as temporary:
        temporary.write_bytes(model.SerializeToString())


class OnnxNetwork(nn.Module):
    """An ONNX file as a module, used like the files of the other formats.

    Args:
        path: The file. It must contain its weights.

    Raises:
        Exception: The file is damaged; onnx and ONNX Runtime raise many kinds of errors.
        UserError: A package is missing, or the file is of another kind of network or refers to
            other files.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        if missing := [name for name in ("onnx", "onnxruntime") if find_spec(name) is None]:
            raise UserError(f"{path} needs {', '.join(missing)}: {INSTALL}")
        import onnx
        import onnxruntime

        content = path.read_bytes()
        with refusing(path):
            _check_self_contained(onnx.load_model_from_string(content))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 4
        self._session = onnxruntime.InferenceSession(
            content, options, providers=["CPUExecutionProvider"]
        )
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if (
            len(inputs) != 1
            or len(outputs) != 1
            or inputs[0].type != "tensor(uint8)"
            or inputs[0].shape[1:] != INPUT_SHAPE
        ):
            found = ", ".join(f"{one.type} {one.shape}" for one in inputs[:2])
            raise UserError(
                f"{path} takes {found:.80} instead of uint8 images (N, 1, 28, 28): it is not a "
                "digit classifier of this project"
            )
        self._input = inputs[0].name
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of a batch of digits."""
        (logits,) = self._session.run(None, {self._input: images.cpu().numpy()})
        return torch.from_numpy(logits)


def _check_self_contained(message: Any) -> None:
    """Refuse tensors whose values are in other files: ONNX Runtime reads whatever they name."""
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        for inner in [value] if hasattr(value, "ListFields") else value:
            for entry in getattr(inner, "external_data", ()):
                raise RefusedError(f"its weights refer to other files ({entry.value!r:.60})")
            _check_self_contained(inner)
