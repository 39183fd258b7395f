"""8-bit ONNX files: smaller, less exact, and kept only if they are faster on this processor."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from statistics import median

import torch
from torch import Tensor, nn

from mnist_lightning.evaluation.inference import predict_logits
from mnist_lightning.evaluation.latency import THROUGHPUT_BATCH, interleaved_seconds
from mnist_lightning.evaluation.metrics import count_correct
from mnist_lightning.evaluation.parity import measure_parity
from mnist_lightning.export.loading import load_network
from mnist_lightning.export.metadata import Source
from mnist_lightning.export.onnx import require_onnx
from mnist_lightning.export.tracing import quiet_torch
from mnist_lightning.files.identity import describe_file
from mnist_lightning.files.storage import copy_file
from mnist_lightning.records.exported_files import Quantisation

#: Images per calibration step.
CALIBRATION_BATCH = 100
#: Timed calls of each file with a large batch; with a single image ten times as many.
ROUNDS = 30


def quantize_onnx(source: Path, destination: Path, images: Tensor) -> None:
    """Write an 8-bit version of an ONNX file, with the same metadata.

    Weights are quantised per channel, activations by the ranges that they take on the calibration
    images (static quantisation, Jacob et al., CVPR 2018).

    Args:
        source: A file written by ``export_onnx``.
        destination: Where to write the 8-bit file.
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
            self._batches = iter(torch.split(images, CALIBRATION_BATCH))

        def get_next(self) -> dict[str, object] | None:
            batch = next(self._batches, None)
            return None if batch is None else {"images": batch.numpy()}

    with tempfile.TemporaryDirectory() as folder, quiet_torch():
        prepared = str(Path(folder, "prepared.onnx"))
        quant_pre_process(str(source), prepared, skip_symbolic_shape=True)
        options = {"quant_format": QuantFormat.QDQ, "per_channel": True}
        quantize_static(prepared, str(destination), Reader(), **options)
    entries = {one.key: one.value for one in onnx.load(source).metadata_props}
    model = onnx.load(destination)
    # This is the accuracy of the float file.
    entries.pop("test_accuracy", None)
    entries["quantisation"] = "static int8, QDQ, per channel"
    onnx.helper.set_model_props(model, entries)
    destination.write_bytes(model.SerializeToString())


def try_int8(source: Source, folder: Path, expected: Tensor) -> Quantisation:
    """Quantise the ONNX file of a model, measure the result, and keep it if it is faster.

    Args:
        source: The network.
        folder: Folder with its ONNX file. An older int8 file is deleted if the new one is not
            faster.
        expected: float32 ``(N, 10)``, the network's logits for the test images.

    Returns:
        The measurements.
    """
    name, images, labels = source.model.name, source.test.images, source.test.labels
    float_path, path = folder / f"{name}_model.onnx", folder / f"{name}_model_int8.onnx"
    with tempfile.TemporaryDirectory() as scratch:
        trial = Path(scratch, path.name)
        quantize_onnx(float_path, trial, source.calibration)
        size = trial.stat().st_size
        networks = load_network(float_path), load_network(trial)
        batch = images[torch.arange(THROUGHPUT_BATCH) % len(images)]
        single = _speedup(networks, images[:1], 10 * ROUNDS)
        batched = _speedup(networks, batch, ROUNDS)
        faster = min(single, batched) > 1
        if faster:
            copy_file(trial, path)
        else:
            path.unlink(missing_ok=True)
    float_logits, logits = (predict_logits(network, images) for network in networks)
    correct = count_correct(logits, labels)
    return Quantisation(
        file=describe_file(path) if faster else None,
        bytes=size,
        parity=measure_parity("ONNX int8", expected, logits),
        correct=correct,
        accuracy=correct / len(images),
        accuracy_change=(correct - count_correct(float_logits, labels)) / len(images),
        calibration_images=len(source.calibration),
        threads=torch.get_num_threads(),
        rounds=ROUNDS,
        speedup_single=single,
        speedup_batched=batched,
        batch_size=THROUGHPUT_BATCH,
        processor=source.environment.processor,
    )


def _speedup(networks: tuple[nn.Module, nn.Module], images: Tensor, rounds: int) -> float:
    """Return the median over rounds of the first network's time divided by the second's."""
    first, second = interleaved_seconds(
        [partial(network, images) for network in networks], minimum=rounds
    )
    return median(a / b for a, b in zip(first, second, strict=True))
