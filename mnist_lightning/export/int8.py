"""ONNX in 8-bit integers: smaller, less exact, and faster only where the processor helps."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from torch import Tensor, nn

from mnist_lightning.evaluation.inference import predict_logits
from mnist_lightning.evaluation.parity import measure_parity
from mnist_lightning.export.loading import load_network
from mnist_lightning.export.metadata import Source
from mnist_lightning.export.onnx import require_onnx
from mnist_lightning.export.tracing import quiet_torch
from mnist_lightning.files.identity import describe_file
from mnist_lightning.files.storage import atomic_path
from mnist_lightning.records.exported_files import Quantisation

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


BATCH_SIZE = 256


ROUNDS = 30


_Pair = tuple[nn.Module, nn.Module]


def try_int8(source: Source, folder: Path, expected: Tensor) -> Quantisation:
    """Quantise the ONNX file of a model, measure it, and write it if it is faster.

    Args:
        source: The network.
        folder: Where its ONNX file lies. An int8 file of an earlier export is removed where the
            new one is not faster.
        expected: float32 ``(N, 10)``, the network's logits for the test images.

    Returns:
        What was measured.
    """
    name, images = source.record.model.name, source.test.images
    float_path, path = folder / f"{name}_model.onnx", folder / f"{name}_model_int8.onnx"
    with tempfile.TemporaryDirectory() as scratch:
        trial = Path(scratch, path.name)
        quantize_onnx(float_path, trial, source.calibration)
        pair = load_network(float_path), load_network(trial)
        content = trial.read_bytes()
    right = [_correct(predict_logits(network, images), source) for network in pair]
    batch = images[torch.arange(BATCH_SIZE) % len(images)]
    single, batched = _speedup(pair, images[:1], 10 * ROUNDS), _speedup(pair, batch, ROUNDS)
    faster = min(single, batched) > 1
    if faster:
        with atomic_path(path) as temporary:
            temporary.write_bytes(content)
    else:
        path.unlink(missing_ok=True)
    return Quantisation(
        file=describe_file(path) if faster else None,
        bytes=len(content),
        parity=measure_parity("ONNX int8", expected, predict_logits(pair[1], images)),
        correct=right[1],
        accuracy=right[1] / len(images),
        accuracy_change=(right[1] - right[0]) / len(images),
        calibration_images=len(source.calibration),
        threads=torch.get_num_threads(),
        rounds=ROUNDS,
        speedup_single=single,
        speedup_batched=batched,
        batch_size=BATCH_SIZE,
        processor=source.environment.processor,
    )


def _correct(logits: Tensor, source: Source) -> int:
    return int((logits.argmax(1) == source.test.labels).sum())


def _speedup(pair: _Pair, images: Tensor, rounds: int) -> float:
    """The median over rounds of the time of the first by that of the second, timed in turns."""
    for network in pair:
        network(images)
    return median(
        _seconds(lambda: pair[0](images)) / _seconds(lambda: pair[1](images)) for _ in range(rounds)
    )


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
