"""Mistakes in the use of ``predict``, ``export``, ``robustness`` and ``demo``."""

import json
import shutil
from pathlib import Path

import torch
from mistake import Mistake, cut, delete, write
from PIL import Image
from torch import Tensor, nn

MODEL = "output/custom_cnn_model.pt"
WEIGHTS = "output/custom_cnn_model.safetensors"
RECORD = "output/custom_cnn_metrics.json"
PREDICTIONS = "output/custom_cnn_predictions.npz"
IMAGES = "data/t10k-images-idx3-ubyte"
PAGE = ["page.png"]
ANY_PORT = ["--port", "0"]
MAKE = "train.py --model"


class _OfThreeClasses(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1)[:, :3].float()


def _foreign_model(folder: Path) -> None:
    network = _OfThreeClasses().eval()
    torch.jit.save(torch.jit.script(network), folder / "foreign.pt")


def _weights_alone(folder: Path) -> None:
    torch.save({"head.weight": torch.zeros(10, 784)}, folder / "weights.pt")


def _blank_page(folder: Path) -> None:
    Image.new("L", (200, 200), 255).save(folder / "page.png")


def _model_of_another_training(folder: Path) -> None:
    shutil.copy(folder / "output/resnet50_model.pt", folder / MODEL)


def _weights_of_another_training(folder: Path) -> None:
    shutil.copy(folder / "output/resnet50_model.safetensors", folder / WEIGHTS)


def _record_without_weights(folder: Path) -> None:
    document = json.loads((folder / RECORD).read_text())
    del document["model"]["weights_file"]
    (folder / RECORD).write_text(json.dumps({**document, "schema_version": 1}))


def _damaged_files(argv: list[str], remedy: str) -> dict[str, Mistake]:
    """Damage to the files of a training, which every command must detect."""
    return {
        "truncated model": Mistake(argv, MODEL, remedy, cut(MODEL, 900)),
        "model that is text": Mistake(argv, MODEL, remedy, write(MODEL, "hello")),
        "damaged record": Mistake(argv, RECORD, MAKE, cut(RECORD, 300)),
        "record that is a list": Mistake(argv, RECORD, MAKE, write(RECORD, "[1]")),
    }


def _no_trained_model(*culprits: str) -> dict[str, Mistake]:
    """Output folders without a model: one that is missing, an empty one, and a file."""
    kinds = ("none", "empty", "report.md")
    return {
        f"output folder: {kind}": Mistake(["--output_dir", kind], culprit, MAKE)
        for kind, culprit in zip(kinds, culprits, strict=True)
    }


PREDICT = {
    **_damaged_files(PAGE, "take an intact copy"),
    "no file": Mistake([], "FILE", "see --help"),
    "unknown option": Mistake([*PAGE, "--modle", "x"], "--modle", "see --help"),
    "missing image": Mistake(["gone.png"], "gone.png", "check its name"),
    "image that is text": Mistake(["report.md"], "report.md", "save it as PNG"),
    "truncated image": Mistake(PAGE, "page.png", "use an intact copy", cut("page.png", 900)),
    "empty image": Mistake(PAGE, "page.png", "save it as PNG", write("page.png", "")),
    "blank page": Mistake(PAGE, "page.png", "see --invert", _blank_page),
    "damaged PDF": Mistake(
        ["a.pdf"], "a.pdf", "use an intact copy", write("a.pdf", "%PDF-1.7 and no")
    ),
    "empty folder": Mistake(["empty"], "empty", "name one with images"),
    "folder without images": Mistake(
        ["notes"], "notes/a.txt", "save it as PNG", write("notes/a.txt", "none here")
    ),
    "truncated IDX file": Mistake([IMAGES], IMAGES, "copy an intact", cut(IMAGES, 5_000)),
    "truncated MNIST": Mistake(["data"], IMAGES, "copy an intact", cut(IMAGES, 5_000)),
    "missing model file": Mistake([*PAGE, "--file", "no.pt"], "no.pt", "train.py"),
    "missing model path": Mistake([*PAGE, "--model", "none/no.pt"], "none/no.pt", "train.py"),
    "unknown model": Mistake([*PAGE, "--model", "nobody"], "'nobody'", "--model NAME"),
    "model that was not trained": Mistake(
        [*PAGE, "--model", "cnn_fast"], "'cnn_fast'", "train.py --model cnn_fast"
    ),
    "model in another folder": Mistake(
        [*PAGE, "--model", "cnn", "--output_dir", "empty"], "'cnn' in empty", "--model cnn"
    ),
    "model that is a folder": Mistake([*PAGE, "--file", "output"], "output", "train.py"),
    "model of an unknown format": Mistake(
        [*PAGE, "--file", "report.md"], "report.md", "end in .pt"
    ),
    "model among the images": Mistake([*PAGE, MODEL], MODEL, f"with --file {MODEL}"),
    "model without a name": Mistake([*PAGE, "--model"], "--model", "see --help"),
    "file without a path": Mistake([*PAGE, "--file"], "--file", "see --help"),
    "weights without a network": Mistake(
        [*PAGE, "--file", "weights.pt"], "weights.pt", "train.py", _weights_alone
    ),
    "model of other images": Mistake(
        [*PAGE, "--file", "foreign.pt"], "foreign.pt", "train.py", _foreign_model
    ),
    "damaged ONNX": Mistake(
        [*PAGE, "--file", "m.onnx"], "m.onnx", "train.py", write("m.onnx", "hello")
    ),
    "damaged program": Mistake(
        [*PAGE, "--file", "m.pt2"], "m.pt2", "train.py", write("m.pt2", "hello")
    ),
    "damaged predictions": Mistake(PAGE, PREDICTIONS, f"{MAKE} cnn", cut(PREDICTIONS, 99)),
    "no model": Mistake(
        PAGE, "model in output", "--file", lambda folder: shutil.rmtree(folder / "output")
    ),
    "share above one": Mistake([*PAGE, "--error_rate", "2"], "--error_rate", "from 0 to 1"),
    "share that is text": Mistake([*PAGE, "--error_rate", "low"], "'low'", "from 0 to 1"),
    "unknown inversion": Mistake([*PAGE, "--invert", "maybe"], "'maybe'", "auto"),
    "two formats": Mistake([*PAGE, "--json", "--csv"], "--csv", "not allowed with"),
    "picture that is not a PNG": Mistake([*PAGE, "--show", "report.md"], "report.md", ".png"),
    "picture over the image": Mistake([*PAGE, "--show", "./page.png"], "page.png", "name another"),
    "picture without a folder": Mistake(
        [*PAGE, "--show", "no/a.png"], "folder no", "one that exists"
    ),
}

EXPORT = {
    **_no_trained_model("none", "empty", "report.md"),
    **_damaged_files([], MAKE),
    "unknown format": Mistake(["--formats", "tflite"], "'tflite'", "pt2"),
    "formats without a name": Mistake(["--formats"], "--formats", "see --help"),
    "unknown model": Mistake(["--model", "nobody"], "nobody_metrics.json", MAKE),
    "a path for a name": Mistake(["--model", "../x"], "'../x'", "a name such as"),
    "missing model file": Mistake([], MODEL, "--ckpt_path", delete(MODEL)),
    "model of another training": Mistake([], MODEL, MAKE, _model_of_another_training),
    "missing weights": Mistake([], WEIGHTS, "--ckpt_path", delete(WEIGHTS)),
    "truncated weights": Mistake([], WEIGHTS, "--ckpt_path", cut(WEIGHTS, 900)),
    "weights of another training": Mistake(
        [], WEIGHTS, "--ckpt_path", _weights_of_another_training
    ),
    "training without weights": Mistake([], WEIGHTS, "--ckpt_path", _record_without_weights),
    "missing checkpoint": Mistake(["--ckpt_path", "no.ckpt"], "no.ckpt", "--ckpt_path"),
    "damaged checkpoint": Mistake(
        ["--ckpt_path", "my.ckpt"], "my.ckpt", "--ckpt_path", write("my.ckpt", "hello")
    ),
    "checkpoint that is an exported model": Mistake(["--ckpt_path", MODEL], MODEL, "--ckpt_path"),
    "images elsewhere": Mistake(["--data_dir", "empty"], "empty", "--data_dir"),
    "truncated images": Mistake(["--data_dir", "data"], IMAGES, "--data_dir", cut(IMAGES, 5_000)),
    "stray word": Mistake(["stray"], "stray", "see --help"),
}

ROBUSTNESS = {
    **_no_trained_model("none", "empty", "report.md"),
    **_damaged_files([], MAKE),
    "unknown corruption": Mistake(["--corruptions", "hail"], "'hail'", "choose from shot_noise"),
    "unknown model": Mistake(["--models", "nobody"], "nobody_metrics.json", MAKE),
    "a path for a name": Mistake(["--models", "../x"], "'../x'", "a name such as"),
    "a model twice": Mistake(["--models", "a", "a"], "a a", "names a model twice"),
    "a model by both names": Mistake(
        ["--models", "cnn", "custom_cnn"], "cnn custom_cnn", "names a model twice"
    ),
    "missing model file": Mistake(["--models", "custom_cnn"], MODEL, "train.py", delete(MODEL)),
    "model of another training": Mistake([], MODEL, MAKE, _model_of_another_training),
    "no images": Mistake(["--limit", "0"], "--limit", "at least 1"),
    "limit that is text": Mistake(["--limit", "all"], "'all'", "at least 1"),
    "negative seed": Mistake(["--seed", "-1"], "--seed", "at least 0"),
    "images elsewhere": Mistake(["--data_dir", "empty"], "empty", "--data_dir"),
    "truncated images": Mistake(["--data_dir", "data"], IMAGES, "--data_dir", cut(IMAGES, 5_000)),
    "stray word": Mistake(["stray"], "stray", "see --help"),
}

DEMO = {
    **_no_trained_model("none", "empty", "report.md"),
    **_damaged_files(ANY_PORT, "take an intact copy"),
    "port too high": Mistake(["--port", "65536"], "65536", "0 to 65535"),
    "port below zero": Mistake(["--port", "-1"], "-1", "0 to 65535"),
    "port that is text": Mistake(["--port", "http"], "http", "invalid int value"),
    # An address reserved for documentation.
    "address of another machine": Mistake(
        ["--host", "192.0.2.1", *ANY_PORT], "192.0.2.1", "choose another with --host"
    ),
    "no address": Mistake(["--host", "", *ANY_PORT], "--host", "e.g. 127.0.0.1"),
    "missing model": Mistake(["--file", "no.pt"], "no.pt", "train.py"),
    "missing model path": Mistake(["--model", "no/no.pt"], "no/no.pt", "train.py"),
    "unknown model": Mistake(["--model", "cnn", "nobody"], "'nobody'", "--model NAME"),
    "model without a name": Mistake(["--model"], "--model", "see --help"),
    "file without a path": Mistake(["--file"], "--file", "see --help"),
    "model of an unknown format": Mistake(
        ["--file", "report.md", *ANY_PORT], "report.md", "end in .pt"
    ),
    "model of other images": Mistake(
        ["--file", "foreign.pt", *ANY_PORT], "foreign.pt", "train.py", _foreign_model
    ),
    "damaged predictions": Mistake(ANY_PORT, PREDICTIONS, MAKE, cut(PREDICTIONS, 99)),
    "truncated images": Mistake(
        ["--data_dir", "data", *ANY_PORT], IMAGES, "copy an intact", cut(IMAGES, 5_000)
    ),
    "unknown option": Mistake(["--prot", "1"], "--prot", "see --help"),
}
