"""A small training from the command line, and all files that it writes."""

import io
import itertools
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import torch
import yaml
from matplotlib.figure import Figure
from matplotlib.image import imread
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from mnist_lightning.commands import compare, export
from mnist_lightning.commands.train import main
from mnist_lightning.comparison.schema import read_comparison
from mnist_lightning.data.datamodule import MNISTDataModule
from mnist_lightning.data.embedded import load_embedded
from mnist_lightning.evaluation.calibration import measure_calibration, scale
from mnist_lightning.evaluation.inference import predict_logits
from mnist_lightning.export.loading import load_network
from mnist_lightning.export.torchscript import load_torchscript
from mnist_lightning.export.trained_model import load_trained
from mnist_lightning.files.identity import describe_file
from mnist_lightning.models import CNNClassifier
from mnist_lightning.records.artefacts import find_models
from mnist_lightning.records.exported_files import read_exports
from mnist_lightning.records.predictions import read_predictions
from mnist_lightning.records.record import Record, read_record

# One training, that of ``run``, draws its figures.
pytestmark = pytest.mark.usefixtures("empty_figures")

# Small and short, with all other settings of the preset.
SMALL = [
    *("--model", "cnn", "--model.widths", "[8, 16]", "--data.source", "mnist5k"),
    *("--trainer.max_epochs", "2", "--trainer.accelerator", "cpu"),
    # Other formats than TorchScript take seconds; only one run writes them.
    *("--export_formats", "[]"),
]
OTHER_FORMATS = {"custom_cnn_model.pt2", "custom_cnn_model.onnx"}
ARTEFACTS = {
    "custom_cnn_exports.json",
    "custom_cnn_card.md",
    "custom_cnn_model.pt",
    "custom_cnn_model.safetensors",
    "custom_cnn_metrics.json",
    "custom_cnn_predictions.npz",
    "custom_cnn_training_curves.png",
    "custom_cnn_confusion_matrix.png",
    "custom_cnn_examples.png",
}
RUN_FILES = {"metrics.csv", "config.yaml", "checkpoints/last.ckpt", "checkpoints/previous.ckpt"}


class Run(NamedTuple):
    output_dir: Path
    status: int
    stdout: str
    stderr: str

    @property
    def folder(self) -> Path:
        return self.output_dir / "runs" / "custom_cnn" / "version_0"

    @property
    def record(self) -> Record:
        return read_record(self.output_dir / "custom_cnn_metrics.json")


def test_every_format_classifies_the_test_images_as_recorded(run: Run) -> None:
    exports = read_exports(run.output_dir / "custom_cnn_exports.json")

    assert [one.parity.format for one in exports.files] == ["TorchScript", "torch.export", "ONNX"]
    assert {one.correct for one in exports.files} == {run.record.test.correct}
    assert exports.files[0].file == run.record.model.file


@pytest.mark.parametrize("name", ["last", "previous"])
def test_formats_can_be_exported_again_from_the_measured_checkpoint(
    run: Run, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output_dir = tmp_path / "out"
    shutil.copytree(run.output_dir, output_dir)
    checkpoint = output_dir / "runs" / "custom_cnn" / "version_0" / "checkpoints" / f"{name}.ckpt"
    argv = ["--ckpt_path", str(checkpoint), "--output_dir", str(output_dir)]
    status = export.main([*argv, "--formats", "torchscript"])

    record = read_record(output_dir / "custom_cnn_metrics.json")
    if name == "previous":
        assert status == 2
        assert "is not the checkpoint that was measured" in capsys.readouterr().err
        return
    assert status == 0
    assert record.model.file == describe_file(output_dir / "custom_cnn_model.pt")
    assert record.model.weights_file == describe_file(output_dir / "custom_cnn_model.safetensors")
    assert record.test == run.record.test


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    output_dir = tmp_path_factory.mktemp("out")
    with pytest.MonkeyPatch.context() as patch:
        capture = _Capture(patch)
        status = main([*SMALL, "--export_formats", "null", "--output_dir", str(output_dir)])
        return Run(output_dir, status, capture.out, capture.err)


class _Capture:
    """Captures output for a module's fixture; ``capsys`` is for a single test."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._out, self._err = io.StringIO(), io.StringIO()
        patch.setattr("sys.stdout", self._out)
        patch.setattr("sys.stderr", self._err)

    @property
    def out(self) -> str:
        return self._out.getvalue()

    @property
    def err(self) -> str:
        return self._err.getvalue()


def _files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_exactly_the_documented_files_are_written(run: Run) -> None:
    assert run.status == 0
    events = {name for name in _files(run.folder) if name.startswith("events.out.tfevents.")}
    assert len(events) == 1
    assert _files(run.folder) == RUN_FILES | events
    prefix = run.folder.relative_to(run.output_dir)
    of_run = {str(prefix / name) for name in RUN_FILES | events}
    assert _files(run.output_dir) == ARTEFACTS | OTHER_FORMATS | of_run


def test_stderr_has_the_stages_alone_and_stdout_one_line_per_epoch(run: Run) -> None:
    assert all(re.fullmatch(r"INFO: .* \.\.\.", line) for line in run.stderr.splitlines())
    lines = run.stdout.splitlines()
    epochs = [line for line in lines if line.startswith("epoch ")]
    assert len(epochs) == 2
    assert all("left 0:00:" in line for line in epochs)
    assert "MNIST-5k" in lines[0]
    assert "3,500 training, 500 validation, 1,000 test" in lines[0]


def test_summary_names_accuracy_interval_files_and_the_next_command(run: Run) -> None:
    low, high = run.record.test.interval.low, run.record.test.interval.high
    assert re.search(rf"Test accuracy, % +{100 * run.record.test.accuracy:.2f}\n", run.stdout)
    assert re.search(rf"95 % interval .*{100 * low:.2f}–{100 * high:.2f}\n", run.stdout)
    assert all(name in run.stdout for name in ARTEFACTS | OTHER_FORMATS)
    assert f"tensorboard --logdir {run.output_dir / 'runs'}" in run.stdout


def test_record_describes_the_run(run: Run) -> None:
    record, dataset = run.record, load_embedded()
    assert record.dataset.fingerprint == dataset.fingerprint
    assert (record.dataset.train, record.dataset.validation, record.dataset.test) == (
        3500,
        500,
        1000,
    )
    assert record.test.n == len(dataset.test) == 1000
    assert record.model.preset == "cnn"
    assert record.model.hyperparameters["widths"] == [8, 16]
    assert record.model.parameters.total == record.model.parameters.trainable
    assert (record.training.epochs, record.training.steps) == (2, 56)
    assert record.training.command[:2] == ("--model", "cnn")
    assert not record.training.resumed
    # Guessing would give 0.1; README has the accuracy of a full training.
    assert record.test.accuracy > 0.25


def test_record_agrees_with_the_trainer_on_the_same_images(run: Run) -> None:
    tested = run.record.trainer_test
    # Training may use bfloat16, the exported file never does: single images may differ.
    assert tested["accuracy"] == pytest.approx(run.record.test.accuracy, abs=0.01)
    assert tested["macro_f1"] == pytest.approx(run.record.test.macro_f1, abs=0.01)
    # The checkpoint does not contain the temperature.
    temperature = run.record.model.temperature
    assert temperature is not None
    test = read_predictions(run.output_dir / "custom_cnn_predictions.npz").test
    as_trained = measure_calibration(scale(test.probabilities, 1 / temperature), test.labels)
    assert tested["loss"] == pytest.approx(as_trained.nll, abs=0.05)
    assert run.record.test.loss < tested["loss"]


def test_exported_file_gives_the_recorded_predictions(run: Run) -> None:
    model = load_torchscript(run.output_dir / "custom_cnn_model.pt")
    images = load_embedded().test.images
    predictions = read_predictions(run.output_dir / "custom_cnn_predictions.npz")
    probabilities = predict_logits(model, images).softmax(1).numpy()
    np.testing.assert_allclose(probabilities, predictions.test.probabilities, atol=1e-5)
    assert predictions.test.indices.tolist() == list(range(1000))
    assert len(predictions.validation.labels) == 500
    assert run.record.export.argmax_agreement == 1
    assert run.record.export.max_abs_difference < 1e-3
    assert run.record.export.n == 1000
    logits = model(images[:1])
    assert (logits.dtype, logits.shape) == (torch.float32, (1, 10))


def test_validation_images_of_the_predictions_are_not_training_images(run: Run) -> None:
    data = MNISTDataModule(source="mnist5k")
    data.setup()
    predictions = read_predictions(run.output_dir / "custom_cnn_predictions.npz")
    assert not {*predictions.validation.indices.tolist()} & {*data.train_indices.tolist()}


def test_exported_file_is_the_last_checkpoint(run: Run) -> None:
    checkpoint = run.folder / "checkpoints" / "last.ckpt"
    state = torch.load(checkpoint, weights_only=True)
    assert state["global_step"] == run.record.training.steps
    module = CNNClassifier.load_from_checkpoint(checkpoint, map_location="cpu").eval()
    images = load_embedded().test.images[:200]
    exported = predict_logits(load_torchscript(run.output_dir / "custom_cnn_model.pt"), images)
    logits = predict_logits(module, images) / run.record.model.temperature
    torch.testing.assert_close(exported, logits, atol=1e-4, rtol=1e-4)


def test_the_weights_are_the_averaged_ones_of_the_last_checkpoint_to_the_last_bit(
    run: Run,
) -> None:
    checkpoint = torch.load(run.folder / "checkpoints" / "last.ckpt", weights_only=True)
    state = checkpoint["state_dict"]
    head = "network.head.weight"
    assert not torch.equal(state[head], checkpoint["current_model_state"][head])
    network = load_network(run.output_dir / "custom_cnn_model.safetensors").state_dict()
    # The head alone contains the temperature.
    for name in ("head.weight", "head.bias"):
        state[f"network.{name}"] /= run.record.model.temperature
    assert all(torch.equal(value, state[f"network.{name}"]) for name, value in network.items())
    described = describe_file(run.output_dir / "custom_cnn_model.safetensors")
    assert run.record.model.weights_file == described


def test_history_has_one_row_per_epoch_with_the_metrics_of_both_stages(run: Run) -> None:
    table = pd.read_csv(run.folder / "metrics.csv")
    assert table["epoch"].tolist() == [1, 2]
    assert table["step"].tolist() == [28, 56]
    for stage in ("train", "val"):
        assert table[f"{stage}/accuracy"].between(0, 1).all()
        assert (table[f"{stage}/loss"] > 0).all()
    assert (table["lr"] > 0).all()


def test_tensorboard_has_curves_charts_hyperparameters_and_figures(run: Run) -> None:
    events = EventAccumulator(str(run.folder))
    events.Reload()
    tags = events.Tags()
    table = pd.read_csv(run.folder / "metrics.csv")
    for name in ("lr", "train/loss", "train/accuracy", "val/loss", "val/accuracy"):
        scalars = events.Scalars("train/lr" if name == "lr" else name)
        assert [scalar.step for scalar in scalars] == table["step"].tolist()
        assert [scalar.value for scalar in scalars] == pytest.approx(table[name].tolist())
    (final,) = events.Scalars("verdict/test_accuracy")
    assert final.value == pytest.approx(run.record.test.accuracy)
    assert set(tags["images"]) == {"verdict/confusion_matrix", "verdict/examples"}
    # TensorBoard opens the first two groups: the curves, without a chart of one point.
    groups = sorted({tag.partition("/")[0] for tag in [*tags["scalars"], *tags["images"]]})
    assert groups == ["train", "val", "verdict"]
    for tag in tags["images"]:
        assert events.Images(tag)[0].width <= 700
    assert "custom_scalars__config__" in tags["tensors"]
    assert events.SummaryMetadata("_hparams_/session_start_info").plugin_data.plugin_name == (
        "hparams"
    )


def test_resolved_configuration_trains_the_same_model_again(run: Run) -> None:
    config = yaml.safe_load((run.folder / "config.yaml").read_text())
    assert config["model"]["init_args"]["widths"] == [8, 16]
    assert config["trainer"]["max_epochs"] == 2
    assert config["seed_everything"] == 0


@pytest.mark.parametrize("kind", ["training_curves", "confusion_matrix", "examples"])
def test_figures_have_a_readable_size(run: Run, kind: str) -> None:
    height, width, _ = imread(run.output_dir / f"custom_cnn_{kind}.png").shape
    assert width >= 1200
    assert height >= 600


def test_record_contains_no_path_of_the_machine(run: Run) -> None:
    document = json.loads((run.output_dir / "custom_cnn_metrics.json").read_text())
    document["training"].pop("command")  # the command line as typed
    assert str(Path.home()) not in json.dumps(document)
    assert str(run.output_dir) not in json.dumps(document)


def test_resuming_a_finished_run_trains_no_step_and_writes_the_results_again(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output_dir = tmp_path / "moved"
    shutil.copytree(run.output_dir / "runs", output_dir / "runs")
    main([*SMALL, "--output_dir", str(output_dir), "--ckpt_path", "last"])
    lines = capsys.readouterr().out.splitlines()
    assert not any(line.startswith("epoch ") for line in lines)
    again = read_record(output_dir / "custom_cnn_metrics.json")
    assert again.test == run.record.test
    # The training is the same, and so is its description.
    assert again.training == replace(run.record.training, command=again.training.command)
    # TensorBoard shows every value once.
    events = EventAccumulator(str(output_dir / "runs" / "custom_cnn" / "version_0"))
    events.Reload()
    counts = {tag: len(events.Scalars(tag)) for tag in events.Tags()["scalars"]}
    epochs = run.record.training.epochs
    assert {"train/lr", "val/loss", "verdict/test_loss", "verdict/test_accuracy"} <= set(counts)
    assert counts == {tag: 1 if tag.startswith("verdict/") else epochs for tag in counts}


def _time_by_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the clock of max_time advance by a second at each step, and by two in a validation."""
    clock = SimpleNamespace(monotonic=itertools.count(0.0).__next__)
    monkeypatch.setattr("lightning.pytorch.callbacks.timer.time", clock)


STOPPING = ["--trainer.callbacks+=EarlyStopping", "--trainer.callbacks.monitor=val/loss"]
STOPPING += ["--trainer.callbacks.stopping_threshold=100"]


@pytest.mark.parametrize(
    ("limit", "steps"),
    [
        pytest.param([], 24, id="epochs"),
        pytest.param(["--trainer.max_steps", "15"], 15, id="max_steps"),
        pytest.param(["--trainer.max_time", "00:00:00:15"], 13, id="max_time"),
        pytest.param(STOPPING, 12, id="early stopping"),
    ],
)
def test_however_a_training_ends_its_last_step_is_the_result_and_again_when_it_is_resumed(
    limit: list[str], steps: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _time_by_reading(monkeypatch)
    argv = [*SMALL, "--trainer.limit_train_batches", "12", "--ema.decay", "0.9", *limit]
    argv += ["--output_dir", str(tmp_path)]
    found = []
    for more in ([], ["--ckpt_path", "last"]):
        assert main([*argv, *more]) == 0

        folder = tmp_path / "runs" / "custom_cnn" / "version_0"
        checkpoint = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
        state = checkpoint["state_dict"]
        network = load_network(tmp_path / "custom_cnn_model.safetensors").state_dict()
        record = read_record(tmp_path / "custom_cnn_metrics.json")
        # The head alone contains the temperature.
        for name in ("head.weight", "head.bias"):
            state[f"network.{name}"] /= record.model.temperature
        assert all(torch.equal(value, state[f"network.{name}"]) for name, value in network.items())
        table = pd.read_csv(folder / "metrics.csv")
        assert checkpoint["global_step"] == table["step"].iloc[-1] == record.training.steps == steps
        assert len(table) == record.training.epochs == checkpoint["epoch"] + 1
        assert table["val/loss"].notna().all()
        # That of the record is of float32.
        assert table["val/loss"].iloc[-1] == pytest.approx(record.validation.loss, abs=0.05)
        training = replace(record.training, command=())
        found.append((record.test, record.validation, record.trainer_test, training))

    assert found[0] == found[1]


def test_a_copied_checkpoint_of_half_a_training_ends_like_the_whole_one(
    run: Run, tmp_path: Path
) -> None:
    checkpoint = tmp_path / "copied" / "last.ckpt"
    checkpoint.parent.mkdir()
    shutil.copyfile(run.folder / "checkpoints" / "previous.ckpt", checkpoint)

    assert main([*SMALL, "--output_dir", str(tmp_path), "--ckpt_path", str(checkpoint)]) == 0

    assert read_record(tmp_path / "custom_cnn_metrics.json").test == run.record.test
    one, other = (
        load_network(folder / "custom_cnn_model.safetensors").state_dict()
        for folder in (run.output_dir, tmp_path)
    )
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_run_of_an_older_version_is_resumed_and_its_best_checkpoint_left_alone(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "runs" / "custom_cnn" / "version_0" / "checkpoints"
    folder.mkdir(parents=True)
    content = torch.load(run.folder / "checkpoints" / "previous.ckpt", weights_only=True)
    for monitor, mode in (("'val/accuracy'", "max"), ("None", "min")):
        key = f"RunCheckpoint{{'monitor': {monitor}, 'mode': '{mode}', 'every_n_train_steps': 0}}"
        content["callbacks"][key] = {"best_model_path": str(folder / "best.ckpt")}
    torch.save(content, folder / "last.ckpt")
    # Killed between the two: version 0.1 wrote the best one first.
    (folder / "best.ckpt").write_bytes(b"an epoch later")

    assert main([*SMALL, "--output_dir", str(tmp_path), "--ckpt_path", "last"]) == 0

    assert "RunCheckpoint" not in capsys.readouterr().err
    assert read_record(tmp_path / "custom_cnn_metrics.json").test == run.record.test
    assert (folder / "best.ckpt").read_bytes() == b"an epoch later"


def test_a_second_run_uses_a_new_folder_and_deletes_older_exports(run: Run, tmp_path: Path) -> None:
    older = {
        *OTHER_FORMATS,
        "custom_cnn_model_int8.onnx",
        "custom_cnn_model_bfloat16.pt",
    }
    others = {"custom_cnn_fast_model.onnx", "custom_cnn_ensemble_model.pt2", "custom_cnn_notes.md"}
    for name in older | others:
        (tmp_path / name).touch()
    for _ in range(2):
        argv = ["--trainer.max_epochs", "1", "--trainer.limit_train_batches", "2"]
        assert main([*SMALL, *argv, "--output_dir", str(tmp_path)]) == 0
    folders = sorted(path.name for path in (tmp_path / "runs" / "custom_cnn").iterdir())
    assert folders == ["version_0", "version_1"]
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == ARTEFACTS | others


@pytest.mark.parametrize("option", [["--quiet"], ["--trainer.enable_progress_bar", "false"]])
def test_quiet_prints_the_summary_only(
    option: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "my results"
    argv = ["--trainer.max_epochs", "1", "--trainer.limit_train_batches", "2"]
    assert main([*SMALL, *argv, "--output_dir", str(folder), *option]) == 0

    out, err = capsys.readouterr()
    record = read_record(folder / "custom_cnn_metrics.json")
    assert out.startswith(f"{record.model.title} on {record.dataset.label}\n")
    # It can be copied from the terminal although the path has a space.
    assert out.endswith(f"\nNext: tensorboard --logdir '{folder / 'runs'}'\n")
    assert err == ""
    assert "--quiet" not in record.training.command


def test_every_stage_prints_a_line_and_examples_state_the_confidence_of_predictions(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plotted: list[npt.NDArray[np.float64]] = []

    def plot(images: object, labels: object, probabilities: Any, **options: Any) -> Figure:
        plotted.append(probabilities)
        return Figure()

    monkeypatch.setattr("mnist_lightning.results.plot_examples", plot)
    argv = ["--trainer.max_epochs", "1", "--trainer.limit_train_batches", "2"]
    assert main([*SMALL, *argv, "--output_dir", str(tmp_path)]) == 0

    out, err = capsys.readouterr()
    assert "testing the final weights ...\n" in out
    stages = [line.split()[1] for line in err.splitlines() if line.endswith(" ...")]
    assert stages == ["Exporting", "Measuring", "Drawing"]
    model = load_trained(tmp_path / "custom_cnn_model.pt")
    assert model.rejection is not None
    # The exported file is calibrated.
    assert model.rejection.temperature == 1
    expected = predict_logits(model.network, load_embedded().test.images).softmax(1)
    for found in plotted:
        np.testing.assert_allclose(found, expected, atol=1e-4)
    assert len(plotted) == 2


def test_fast_dev_run_writes_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["--trainer.fast_dev_run", "true", "--output_dir", str(tmp_path)]
    assert main([*SMALL, *argv]) == 0
    assert "no file was written" in capsys.readouterr().out
    assert _files(tmp_path) == set()


def test_diverging_loss_stops_at_its_step_and_keeps_the_last_good_checkpoint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = CNNClassifier.forward

    def breaks_at_step_40(self: CNNClassifier, images: torch.Tensor) -> torch.Tensor:
        logits = real(self, images)
        return logits * float("nan") if self.training and self.global_step == 39 else logits

    monkeypatch.setattr(CNNClassifier, "forward", breaks_at_step_40)
    assert main([*SMALL, "--output_dir", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "the loss became nan at step 40 (epoch 2)" in error
    assert error.count("\n") == 1
    last = tmp_path / "runs" / "custom_cnn" / "version_0" / "checkpoints" / "last.ckpt"
    checkpoint = torch.load(last, weights_only=True)
    assert checkpoint["global_step"] == 28
    weights = [tensor for tensor in checkpoint["state_dict"].values() if tensor.is_floating_point()]
    assert all(tensor.isfinite().all() for tensor in weights)


@pytest.mark.parametrize("steps", [2, 12, 21, 24])
def test_an_epoch_cut_by_max_steps_is_validated_like_any_other(
    steps: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # After how many steps each validation ran.
    validated: list[int] = []
    monkeypatch.setattr(
        CNNClassifier, "on_validation_end", lambda self: validated.append(self.global_step)
    )
    argv = ["--trainer.max_epochs", "3", "--trainer.limit_train_batches", "12", "--ema.decay", "0"]
    argv += ["--trainer.max_steps", str(steps), "--output_dir", str(tmp_path)]

    assert main([*SMALL, *argv]) == 0

    table = pd.read_csv(tmp_path / "runs" / "custom_cnn" / "version_0" / "metrics.csv")
    assert validated == table["step"].tolist() == sorted({min(12, steps), steps})
    assert table["val/loss"].is_unique
    assert read_record(tmp_path / "custom_cnn_metrics.json").training.steps == steps


def test_training_without_a_step_has_no_model_to_test(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["--trainer.max_time", "00:00:00:00", "--output_dir", str(tmp_path)]
    assert main([*SMALL, *argv]) == 2
    assert "error: No epoch was completed after step 0, " in capsys.readouterr().err


def test_a_torch_without_torchscript_measures_compares_and_exports_the_pt2_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def script(network: torch.nn.Module) -> None:
        raise AttributeError("module 'torch.jit' has no attribute 'script'")

    monkeypatch.setattr(torch.jit, "script", script)
    (tmp_path / "custom_cnn_model.pt").write_bytes(b"of an older torch")
    options = ["--output_dir", str(tmp_path), "--trainer.max_epochs", "1"]
    assert main([*SMALL, *options, "--export_formats", "[onnx]"]) == 0
    assert "cannot write TorchScript (AttributeError: module 'torch.jit' has no" in (
        capsys.readouterr().err
    )
    assert main(["--model", "cnn_fast", *SMALL[2:], *options]) == 0

    record = read_record(tmp_path / "custom_cnn_metrics.json")
    assert record.model.file == describe_file(tmp_path / "custom_cnn_model.pt2")
    assert record.export.format == "torch.export"
    assert record.latency.single.p50_ms > 0
    exports = read_exports(tmp_path / "custom_cnn_exports.json").files
    assert [one.file.name for one in exports] == ["custom_cnn_model.pt2", "custom_cnn_model.onnx"]
    assert {one.correct for one in exports} == {record.test.correct}
    assert not list(tmp_path.glob("*.pt"))

    assert compare.main(["--output_dir", str(tmp_path), "--seconds", "0.1"]) == 0
    one, other = read_comparison(tmp_path / "model_comparison.json").models
    assert (one.name, other.name) == ("custom_cnn", "custom_cnn_fast")
    assert one.cost.multiply_accumulates > 10_000
    assert one.cost.memory is not None
    # The file that the record names is compared, not written again.
    assert export.main(["--model", "cnn", "--output_dir", str(tmp_path), "--formats", "pt2"]) == 0
    assert record.model.file == describe_file(tmp_path / "custom_cnn_model.pt2")
    assert find_models(tmp_path) == [
        tmp_path / f"{name}_model.pt2" for name in ("custom_cnn", "custom_cnn_fast")
    ]


def test_a_full_disk_is_detected_before_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1_000_000))
    assert main([*SMALL, "--output_dir", str(tmp_path / "out")]) == 2
    assert "has 1 MB left" in capsys.readouterr().err
    assert _files(tmp_path) == set()


def test_output_folder_that_is_a_file_is_refused_before_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "out"
    file.write_text("precious")
    assert main([*SMALL, "--output_dir", str(file)]) == 2
    assert f"nothing can be written to '{file}'" in capsys.readouterr().err
    assert file.read_text() == "precious"


def test_checkpoint_of_another_model_is_refused(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = run.folder / "checkpoints" / "last.ckpt"
    argv = ["--model.widths", "[5, 16]", "--ckpt_path", str(checkpoint)]
    assert main([*SMALL, *argv, "--output_dir", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "is of another model: 'network.features.0.weight' is (8, 1, 3, 3)" in error
    assert _files(tmp_path) == set()


def test_a_longer_schedule_than_that_of_the_checkpoint_is_refused(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(run.output_dir / "runs", tmp_path / "runs")
    argv = ["--trainer.max_epochs", "5", "--ckpt_path", "last", "--output_dir", str(tmp_path)]
    assert main([*SMALL, *argv]) == 2
    error = capsys.readouterr().err
    assert "56 steps" in error
    assert "140" in error


@pytest.mark.slow
def test_each_seed_keeps_its_record_and_the_results_of_the_first_are_copied(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = [*SMALL, "--trainer.max_epochs", "1", "--trainer.limit_train_batches", "3"]
    argv += ["--output_dir", str(tmp_path), "--seeds", "7", "8"]
    assert main(argv) == 0
    seeds = tmp_path / "seeds" / "custom_cnn"
    records = [read_record(seeds / f"seed_{seed}_metrics.json") for seed in (7, 8)]
    assert [record.training.seed for record in records] == [7, 8]
    assert records[0].test != records[1].test
    for record in records:
        kept = seeds / f"seed_{record.training.seed}_model.pt"
        assert describe_file(kept).sha256 == record.model.file.sha256
        weights = kept.with_suffix(".safetensors")
        assert record.model.weights_file is not None
        assert describe_file(weights).sha256 == record.model.weights_file.sha256
        kept = kept.with_name(kept.name.replace("model.pt", "predictions.npz"))
        assert describe_file(kept).sha256 == record.predictions.sha256
    assert read_record(tmp_path / "custom_cnn_metrics.json") == records[0]
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == ARTEFACTS
    capsys.readouterr()
    # Both are complete: nothing is trained again, and other settings are refused.
    assert main(argv) == 0
    assert "epoch" not in capsys.readouterr().out
    assert main([*argv, "--data.batch_size", "64"]) == 2
    assert "is of another command" in capsys.readouterr().err
