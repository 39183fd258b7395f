"""ONNX in 8-bit integers: smaller, less exact, and faster only where the processor helps."""

import logging
import tempfile
from pathlib import Path

import torch
from torch import Tensor

from mnist_lightning.formats.onnx import require_onnx
from mnist_lightning.formats.program import quiet_torch

BATCH = 100


def quantize_onnx(source: Path, destination: Path, images: Tensor) -> None:
    """Write an 8-bit version of an ONNX file, with the same metadata.

    Weights are quantised for each channel, activations by the ranges that they take on the
    calibration images (static quantisation, Jacob et al., CVPR 2018).

    Args:
        source: A file that ``export_onnx`` wrote.
        destination: Where to write it.
        images: uint8 ``(N, 1, 28, 28)``, for calibration; never test images.

    Raises:
        UserError: A package is missing.
    """
    require_onnx()
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._batches = iter(torch.split(images, BATCH))

        def get_next(self) -> dict[str, object] | None:
            batch = next(self._batches, None)
            return None if batch is None else {"images": batch.numpy()}

    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)  # it advises, on the root logger, what is done here
    try:
        with tempfile.TemporaryDirectory() as folder, quiet_torch():
            prepared = Path(folder, "prepared.onnx")
            quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
            quantize_static(
                str(prepared),
                str(destination),
                Reader(),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
            )
    finally:
        root.setLevel(level)
    entries = {one.key: one.value for one in onnx.load(source).metadata_props}
    model = onnx.load(destination)
    # The accuracy in it is that of the float file.
    entries.pop("test_accuracy", None)
    entries["quantisation"] = "static int8, QDQ, per channel"
    onnx.helper.set_model_props(model, entries)
    destination.write_bytes(model.SerializeToString())
