"""ResNet50 from the command line: the files of each strategy, and how it is resumed."""

import hashlib
import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Callback, LightningModule, Trainer
from torch import Tensor
from torchvision.models import ResNet, resnet50
from torchvision.models.resnet import Bottleneck

from mnist_lightning.commands.train import main
from mnist_lightning.data.sources import load_dataset
from mnist_lightning.evaluation.inference import predict_logits
from mnist_lightning.export.torchscript import load_torchscript
from mnist_lightning.models import feature_cache
from mnist_lightning.models import pretrained as weights
from mnist_lightning.models.pretrained import Pretrained
from mnist_lightning.records.predictions import read_predictions
from mnist_lightning.records.record import read_record

KINDS = [
    "model.pt",
    "model.safetensors",
    "exports.json",
    "card.md",
    "metrics.json",
    "predictions.npz",
    "training_curves.png",
    "confusion_matrix.png",
    "examples.png",
]
RANDOM = "random initialisation"
Train = Callable[..., int]


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of random weights with the names and shapes of torchvision's."""
    torch.manual_seed(7)
    path = tmp_path_factory.mktemp("weights") / "stand-in.pth"
    torch.save(resnet50().state_dict(), path)
    return path


@pytest.fixture
def notes(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The notes below the training curves."""
    from mnist_lightning import results

    found: list[str] = []
    real = results.plot_curves

    def plot(*args: Any, note: str, **options: Any) -> Any:
        found.append(note)
        return real(*args, note=note, **options)

    monkeypatch.setattr(results, "plot_curves", plot)
    # Twelve calls of a ResNet50 with 256 images take longer than the training.
    monkeypatch.setattr("mnist_lightning.evaluation.latency.THROUGHPUT_BATCH", 8)
    yield found
    assert len(found) == 1


@pytest.fixture
def train(tiny_data_dir: Path, tmp_path: Path) -> Train:
    def run(preset: str, *more: str, output_dir: Path = tmp_path / "out") -> int:
        return main(
            [
                *("--model", preset, "--model.image_size", "32"),
                *("--data.data_dir", str(tiny_data_dir)),
                *("--export_formats", "[]"),
                *("--trainer.accelerator", "cpu", "--output_dir", str(output_dir)),
                *more,
            ]
        )

    return run


def _files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_file()}


def _check_export(folder: Path, name: str, data_dir: Path) -> None:
    """Check that the exported file takes 28x28 pixels and gives the recorded predictions."""
    images = load_dataset(data_dir, download=False).test.images
    model = load_torchscript(folder / f"{name}_model.pt")
    probabilities = torch.from_numpy(
        read_predictions(folder / f"{name}_predictions.npz").test.probabilities
    )
    logits = predict_logits(model, images)
    torch.testing.assert_close(logits.softmax(1), probabilities.float(), atol=1e-4, rtol=1e-3)
    record = read_record(folder / f"{name}_metrics.json")
    assert record.export.argmax_agreement == 1
    assert record.export.max_abs_difference < 1e-3 * max(1, logits.abs().max().item())
    # The checkpoint was tested in the precision of the training, the file in float32.
    assert record.trainer_test["accuracy"] == pytest.approx(record.test.accuracy, abs=0.05)


@pytest.mark.slow
def test_frozen_writes_all_artefacts_and_runs_the_backbone_only_once(
    train: Train,
    stand_in: Path,
    tiny_data_dir: Path,
    tmp_path: Path,
    notes: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    argv = ["--model.weights", str(stand_in), "--trainer.max_epochs", "2"]
    assert train("resnet50", *argv) == 0

    first = capsys.readouterr()
    assert "Caching 350 x 2,048 features: 1.43 MB in" in first.err
    assert "the file stand-in.pth), 23,528,522 parameters (20,490 of them trained), on" in first.out
    assert _files(out) == {f"resnet50_{kind}" for kind in KINDS}
    assert len(list((out / "feature_cache").glob("*.bin"))) == 3
    record = read_record(out / "resnet50_metrics.json")
    assert (record.model.title, record.model.weights) == (
        "ResNet50 (frozen, the file stand-in.pth)",
        "the file stand-in.pth",
    )
    assert (record.model.parameters.total, record.model.parameters.trainable) == (
        23_528_522,
        20_490,
    )
    assert notes == [
        "training: clean images, while the weights change; "
        "validation: clean images, weights at the end of the epoch"
    ]
    _check_export(out, "resnet50", tiny_data_dir)
    checkpoint = torch.load(
        out / "runs/resnet50/version_0/checkpoints/last.ckpt", weights_only=True
    )
    assert "current_model_state" not in checkpoint  # there is no second set of weights
    backbone = torch.load(stand_in, weights_only=True)
    for name, value in backbone.items():
        if not name.startswith("fc."):
            assert torch.equal(checkpoint["state_dict"][f"network.backbone.{name}"], value), name

    def no_backbone(*args: Any) -> None:
        raise AssertionError("the backbone was run again")

    monkeypatch.setattr(feature_cache, "FeatureExtractor", no_backbone)
    monkeypatch.setattr("mnist_lightning.experiment.write_results", lambda *args: "")
    assert train("resnet50", *argv) == 0
    assert capsys.readouterr().err.count("are taken from") == 3
    tables = [out / f"runs/resnet50/version_{n}/metrics.csv" for n in (0, 1)]
    assert tables[0].read_text() == tables[1].read_text()


@pytest.mark.usefixtures("short_network")
@pytest.mark.parametrize(
    ("preset", "title"),
    [
        ("resnet50_finetune", f"ResNet50 (fine-tuned, {RANDOM})"),
        ("resnet50_scratch", f"ResNet50 (from scratch, {RANDOM})"),
    ],
)
def test_finetune_and_scratch_write_the_same_artefacts_and_name_random_weights(
    preset: str,
    title: str,
    train: Train,
    tiny_data_dir: Path,
    tmp_path: Path,
    notes: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    argv = [*("--trainer.max_epochs", "1"), *("--trainer.limit_train_batches", "2")]
    argv += [*("--data.batch_size", "4"), *("--model.weights", "none")]
    assert train(preset, *argv) == 0

    assert _files(out) == {f"{preset}_{kind}" for kind in KINDS}
    record = read_record(out / f"{preset}_metrics.json")
    assert (record.model.title, record.model.weights) == (title, RANDOM)
    assert record.model.parameters.trainable == record.model.parameters.total
    assert record.model.preset == preset
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith(f"{title}, ")
    assert any(line.startswith(f"{title} on custom IDX files") for line in printed)
    assert notes[0].startswith("training: distorted images, ")
    assert notes[0].endswith("validation: clean images, averaged weights")
    _check_export(out, preset, tiny_data_dir)


class Terminate(Callback):
    """Sends SIGTERM to this process in the middle of a step, counted from 1."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: Any
    ) -> None:
        if trainer.global_step + 1 == self.step:
            os.kill(os.getpid(), signal.SIGTERM)


def _trained(output_dir: Path) -> dict[str, Tensor]:
    (path,) = output_dir.glob("runs/*/version_0/checkpoints/last.ckpt")
    checkpoint = torch.load(path, weights_only=True)
    found = dict(checkpoint["state_dict"])
    for number, state in checkpoint["optimizer_states"][0]["state"].items():
        found |= {f"optimiser {number} {name}": value for name, value in state.items()}
    return found


# Two steps per epoch: the stages of finetune start with steps 1, 3 and 5.
@pytest.mark.usefixtures("short_network")
@pytest.mark.parametrize(
    ("preset", "steps"),
    [
        ("resnet50", [3]),
        pytest.param("resnet50_scratch", [3], marks=pytest.mark.slow),
        pytest.param("resnet50_finetune", [1, 2, 3, 5], marks=pytest.mark.slow),
    ],
)
def test_every_strategy_resumes_exactly_in_every_stage_without_its_weights_file(
    preset: str,
    steps: list[int],
    train: Train,
    tiny_data_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mnist_lightning.experiment.write_results", lambda *args: "")
    torch.manual_seed(3)
    file = tmp_path / "short.pth"
    torch.save(ResNet(Bottleneck, [1, 1, 1, 1]).state_dict(), file)
    argv = [*("--trainer.max_epochs", "3"), *("--trainer.limit_train_batches", "2")]
    argv += [*("--data.batch_size", "4"), *("--model.dropout", "0.2")]
    if preset != "resnet50_scratch":
        argv += ["--model.weights", str(file)]
    if preset == "resnet50_finetune":
        argv += ["--model.stage_starts", "[0.0, 0.34, 0.67]"]
    assert train(preset, *argv, output_dir=tmp_path / "whole") == 0
    file.rename(tmp_path / "kept.pth")
    whole = _trained(tmp_path / "whole")

    for step in steps:
        out = tmp_path / str(step)
        (tmp_path / "kept.pth").rename(file)
        stop = ["--trainer.callbacks+", f"{__name__}.Terminate"]
        stop += ["--trainer.callbacks.step", str(step)]
        assert train(preset, *argv, *stop, output_dir=out) == 143
        file.rename(tmp_path / "kept.pth")
        assert train(preset, *argv, "--ckpt_path", "last", output_dir=out) == 0
        resumed = _trained(out)
        assert resumed.keys() == whole.keys()
        assert [name for name in whole if not torch.equal(whole[name], resumed[name])] == [], step


def _html(folder: Path) -> Path:
    path = folder / "page.pth"
    path.write_text("<!DOCTYPE html><title>Not found</title>")
    return path


def _truncated(folder: Path) -> Path:
    path = folder / "short.pth"
    torch.save({"layer1.0.conv1.weight": torch.zeros(64, 64, 1, 1)}, path)
    path.write_bytes(path.read_bytes()[:-200])
    return path


def _foreign(folder: Path) -> Path:
    path = folder / "other.pth"
    torch.save({"layer1.0.conv1.weight": torch.zeros(64, 64, 3, 3)}, path)
    return path


@pytest.fixture
def untouched_data(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **options: Any) -> None:
        raise AssertionError("the data were loaded before the weights")

    monkeypatch.setattr("mnist_lightning.data.datamodule.load_dataset", refuse)


@pytest.mark.usefixtures("short_network", "untouched_data")
@pytest.mark.parametrize("make", [_html, _truncated, _foreign, lambda folder: folder / "none.pth"])
@pytest.mark.parametrize("preset", ["resnet50", "resnet50_finetune"])
def test_invalid_weights_end_in_one_line_before_any_work(
    preset: str,
    make: Callable[[Path], Path],
    train: Train,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = make(tmp_path)
    assert train(preset, "--model.weights", str(path)) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"error: {path} ")
    assert printed.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("short_network", "untouched_data")
def test_without_weights_and_network_one_line_names_every_remedy(
    train: Train,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/resnet50-0123abcd.pth"
    entry = Pretrained("stand-in", url)
    monkeypatch.setitem(weights.PRETRAINED, "imagenet", entry)

    assert train("resnet50") == 2

    error = capsys.readouterr().err
    file = tmp_path / "torch" / "hub" / "checkpoints" / "resnet50-0123abcd.pth"
    for part in (url, str(file), "--model.weights PATH", "--model resnet50_scratch"):
        assert part in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_default_weights_are_taken_from_the_cache_of_torch_hub(
    train: Train,
    stand_in: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    name = f"resnet50-{hashlib.sha256(stand_in.read_bytes()).hexdigest()[:8]}.pth"
    entry = Pretrained("stand-in", f"http://127.0.0.1:9/{name}")
    monkeypatch.setitem(weights.PRETRAINED, "imagenet", entry)
    folder = tmp_path / "torch" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    (folder / name).symlink_to(stand_in)

    assert train("resnet50", "--trainer.fast_dev_run", "true") == 0

    assert ", from stand-in, on " in capsys.readouterr().out
    assert not any(path.is_file() for path in (tmp_path / "out").rglob("*"))


@pytest.mark.usefixtures("short_network")
def test_ctrl_c_while_features_are_computed_keeps_the_finished_ones(
    train: Train,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Interrupted(feature_cache.FeatureExtractor):
        def __call__(self, images: Tensor) -> Iterator[Tensor]:
            if len(images) == 50:  # the validation images
                os.kill(os.getpid(), signal.SIGINT)
            return super().__call__(images)

    argv = ["--model.weights", "none", "--trainer.max_epochs", "1"]
    with monkeypatch.context() as patch:
        patch.setattr(feature_cache, "FeatureExtractor", Interrupted)
        assert train("resnet50", *argv) == 130
    assert capsys.readouterr().err.endswith("\ninterrupted\n")
    monkeypatch.setattr("mnist_lightning.experiment.write_results", lambda *args: "")
    assert train("resnet50", *argv) == 0
    error = capsys.readouterr().err
    assert "Features of training images are taken from" in error
    assert "Caching 50 x 2,048 features" in error


@pytest.mark.usefixtures("short_network")
def test_a_misspelt_option_suggests_one_of_this_model(
    train: Train, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train("resnet50", "--model.strateg", "frozen") == 2
    assert capsys.readouterr().err == (
        "error: there is no option --model.strateg; did you mean --model.strategy?\n"
    )


@pytest.mark.usefixtures("short_network")
def test_distortions_without_passes_are_refused_before_anything_is_written(
    train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["--model.weights", "none", "--data.augmentation.rotation", "5"]
    assert train("resnet50", *argv) == 2
    assert "--model.augmented_passes" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
