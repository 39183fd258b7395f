"""Pipes and devices in the place of files: refused in one line instead of waiting for ever."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from mnist_lightning.commands import compare, export, predict, report, robustness, train

HAS_PIPES = hasattr(os, "mkfifo") and Path("/dev/zero").exists()
pytestmark = [
    pytest.mark.skipif(not HAS_PIPES, reason="this system has no pipes"),
    pytest.mark.usefixtures("user", "empty_figures", "_no_network", "_no_hang"),
]

Main = Callable[[Sequence[str]], int]
CNN = ["--model", "cnn", "--trainer.fast_dev_run", "true"]
WEIGHTS = ["--model", "resnet50", "--model.weights", "my.pth"]
LAST = "output/runs/custom_cnn/version_0/checkpoints/last.ckpt"
REPORT = ["report.md", "--output_dir", "output"]
#: The other model is measured: on little, because its errors do not matter here.
FOG = ["--limit", "10", "--corruptions", "fog"]
#: What a user types, and the file that is a pipe or a device.
PLACES: dict[str, tuple[Main, list[str], str]] = {
    "train on npz": (train.main, [*CNN, "--data.data_dir", "npz"], "npz/mnist.npz"),
    "train on csv": (train.main, [*CNN, "--data.data_dir", "csv"], "csv/train.csv"),
    "train on IDX": (
        train.main,
        [*CNN, "--data.data_dir", "data"],
        "data/train-images-idx3-ubyte",
    ),
    "predict npz": (predict.main, ["npz"], "npz/mnist.npz"),
    "predict with a model": (predict.main, ["page.png", "--model", "x.onnx"], "x.onnx"),
    "predict with predictions": (
        predict.main,
        ["page.png"],
        "output/custom_cnn_predictions.npz",
    ),
    "resume": (train.main, [*CNN, "--ckpt_path", "my.ckpt"], "my.ckpt"),
    "resume the last": (train.main, [*CNN, "--ckpt_path", "last"], LAST),
    "start from weights": (train.main, WEIGHTS, "my.pth"),
    "configure": (train.main, [*CNN, "--config", "my.yaml"], "my.yaml"),
    "export a checkpoint": (export.main, ["--ckpt_path", "my.ckpt"], "my.ckpt"),
    "export weights": (export.main, [], "output/custom_cnn_model.safetensors"),
    "compare a record": (compare.main, [], "output/custom_cnn_metrics.json"),
    "compare a model": (compare.main, [], "output/custom_cnn_model.pt"),
    "compare seeds": (compare.main, [], "output/seeds/custom_cnn/seed_0_metrics.json"),
    "measure robustness": (robustness.main, FOG, "output/custom_cnn_metrics.json"),
    "report a record": (report.main, REPORT, "output/custom_cnn_metrics.json"),
    "report exports": (report.main, REPORT, "output/custom_cnn_exports.json"),
    "report a comparison": (report.main, REPORT, "output/model_comparison.json"),
    "report robustness": (report.main, REPORT, "output/robustness.json"),
    "report a document": (report.main, REPORT, "report.md"),
}
#: Files that may be missing, and are then not looked for; a pipe counts as no file.
OPTIONAL = {
    "predict with predictions",
    "compare a record",
    "compare a model",
    "measure robustness",
    "report exports",
    "report a comparison",
    "report robustness",
}


def pipe(path: Path) -> None:
    os.mkfifo(path)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("make", [pipe, device], ids=lambda make: make.__name__)
@pytest.mark.parametrize("place", PLACES)
def test_special_file_ends_in_one_line(
    place: str, make: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    main, argv, name = PLACES[place]
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    make(path)

    status = main(argv)

    lines = capsys.readouterr().err.splitlines()
    assert "Traceback" not in "\n".join(lines)
    if place in OPTIONAL:
        return
    assert status == 2
    assert lines[-1].startswith("error: ")
    named = "no valid checkpoint" if place == "resume the last" else path.name
    assert named in lines[-1]
