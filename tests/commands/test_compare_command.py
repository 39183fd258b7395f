import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from comparison_inputs import GOLDEN_RECORD, LINEAR_MACS, golden_comparison, write_model
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from mnist_lightning.commands import compare, robustness
from mnist_lightning.commands import compare as command
from mnist_lightning.commands.compare import main
from mnist_lightning.comparison.schema import Comparison, read_comparison
from mnist_lightning.comparison.titles import in_sentence
from mnist_lightning.evaluation import cost
from mnist_lightning.evaluation.calibration import fit_temperature, measure_calibration, scale
from mnist_lightning.evaluation.peak_memory import PeakMemory
from mnist_lightning.files.identity import describe_file
from mnist_lightning.records.predictions import read_predictions, write_predictions
from mnist_lightning.records.record import read_record
from mnist_lightning.robustness.error_rates import read_robustness
from mnist_lightning.terminal.presets import presets_by_model_name

FILES = [f"model_comparison.{end}" for end in ("csv", "html", "json", "md", "png")]


@pytest.fixture(autouse=True)
def _memory_without_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    # Measured for real in test_cost.py; each process takes seconds to load PyTorch.
    monkeypatch.setattr(
        cost, "measure_peak_memory", lambda path, n: PeakMemory(n, 10**8, 2 * 10**8)
    )


@pytest.fixture
def _only_the_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skip figures and tables, which take seconds and have tests of their own."""

    def write(comparison: Comparison, images: object, output_dir: Path, _: object) -> list[Path]:
        comparison.write(output_dir / "model_comparison.json")
        return [output_dir / "model_comparison.json"]

    monkeypatch.setattr(compare, "write_comparison", write)


def run(output: Path, *argv: str) -> int:
    return main(["--output_dir", str(output), "--seconds", "0", *argv])


def refused(output: Path, capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    """Run, expect an error in one line and no new file, and return the line."""
    before = sorted(output.rglob("*"))
    assert run(output, *argv) == 2
    out, err = capsys.readouterr()
    assert out == ""
    line = err.splitlines()[-1]
    assert line.startswith("error: ")
    assert sorted(output.rglob("*")) == before
    return line


def test_two_models_are_compared_and_all_files_are_written(
    output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(output) == 0
    assert sorted(path.name for path in output.glob("model_comparison.*")) == FILES
    found = read_comparison(output / "model_comparison.json")
    assert [model.name for model in found.models] == ["custom_cnn", "resnet50"]
    for model in found.models:
        record = read_record(output / f"{model.name}_metrics.json")
        assert model.test == record.test
        assert model.cost.multiply_accumulates == LINEAR_MACS
        assert model.cost.file_bytes == (output / model.model.name).stat().st_size
        assert model.verification.max_abs_difference < 1e-5
        assert len(model.latency) == len(found.benchmark.threads) * len(found.benchmark.batch_sizes)
        assert model.without_label_errors is None
    (pair,) = found.pairs
    answers = [
        read_predictions(output / f"{name}_predictions.npz").test
        for name in ("custom_cnn", "resnet50")
    ]
    right = [split.probabilities.argmax(1) == split.labels for split in answers]
    assert pair.agreement.only_first == int(np.sum(right[0] & ~right[1])) > 0
    assert pair.difference == pytest.approx(right[1].mean() - right[0].mean())
    # The exported files are calibrated.
    calibrated = [split.probabilities.max(axis=1) for split in answers]
    for model, split in zip(found.models, answers, strict=True):
        record = read_record(output / f"{model.name}_metrics.json")
        assert model.calibration.temperature == record.model.temperature
        assert model.calibration.scaled == measure_calibration(split.probabilities, split.labels)
    assert found.disputed
    for image in found.disputed:
        stated = [answer.confidence for answer in image.answers]
        assert stated == pytest.approx([each[image.index] for each in calibrated])
    assert list((output / "runs" / "comparison").glob("events.*"))
    text = capsys.readouterr().out
    assert all(name in text for name in FILES)
    assert " ".join(found.conclusion[0].split()) in " ".join(text.split())


@pytest.mark.usefixtures("_only_the_record")
def test_files_of_older_versions_are_calibrated_by_a_temperature_that_is_fitted(
    output: Path,
) -> None:
    for name in ("custom_cnn", "resnet50"):
        path = output / f"{name}_metrics.json"
        record = read_record(path)
        replace(record, model=replace(record.model, temperature=None)).write(path)
    assert run(output) == 0

    found = read_comparison(output / "model_comparison.json")
    calibrated = []
    for model in found.models:
        recorded = read_predictions(output / f"{model.name}_predictions.npz")
        kept, test = recorded.validation, recorded.test
        temperature = fit_temperature(kept.probabilities, kept.labels)
        assert model.calibration.temperature == temperature
        assert model.calibration.raw == measure_calibration(test.probabilities, test.labels)
        calibrated.append(scale(test.probabilities, temperature).max(axis=1))
    assert found.disputed
    for image in found.disputed:
        stated = [answer.confidence for answer in image.answers]
        assert stated == pytest.approx([each[image.index] for each in calibrated])


@pytest.mark.usefixtures("_only_the_record")
def test_same_inputs_give_the_same_statistics(output: Path) -> None:
    def once() -> dict[str, Any]:
        assert run(output) == 0
        document: dict[str, Any] = json.loads((output / "model_comparison.json").read_text())
        return {
            "pairs": document["pairs"],
            "disputed": document["disputed"],
            "calibration": [model["calibration"] for model in document["models"]],
        }

    assert once() == once()


@pytest.mark.usefixtures("_only_the_record")
def test_four_models_come_in_the_order_asked_for_and_all_pairs_are_tested(
    output: Path, tiny_data_dir: Path
) -> None:
    for place, name in enumerate(("resnet50_finetune", "resnet50_scratch")):
        write_model(output, tiny_data_dir, name, noise=1, seed=place)
    names = ["resnet50", "custom_cnn", "resnet50_scratch", "resnet50_finetune"]
    assert run(output, "--models", *names) == 0
    found = read_comparison(output / "model_comparison.json")
    assert [model.name for model in found.models] == names
    assert len(found.pairs) == 6
    assert [pair.second for pair in found.baseline_pairs] == names[1:]
    assert all(pair.adjusted_p >= pair.mcnemar_p for pair in found.pairs)


@pytest.mark.usefixtures("_only_the_record")
def test_baseline_comes_first_and_incomplete_models_are_left_out(
    output: Path, tiny_data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("another", "broken"):
        write_model(output, tiny_data_dir, name, noise=1)
    (output / "broken_model.pt").unlink()
    assert run(output) == 0
    found = read_comparison(output / "model_comparison.json")
    assert [model.name for model in found.models] == ["custom_cnn", "resnet50", "another"]
    assert "leaving out broken" in capsys.readouterr().err


@pytest.mark.usefixtures("empty_figures")
def test_robustness_of_the_same_files_is_shown_with_clean_error(
    output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["--output_dir", str(output), "--corruptions", "stripe", "--limit", "50"]
    assert robustness.main([*argv, "--models", "resnet50"]) == 0
    (model,) = read_robustness(output / "robustness.json").models
    assert run(output) == 0
    out = capsys.readouterr().out
    assert "Under 1 corruption of 50 test images (robustness.json):" in out
    text = (output / "model_comparison.md").read_text(encoding="utf-8")
    rates = f"{100 * model.clean.rate:.2f} | {100 * model.mean_error:.2f}"
    assert f"| {in_sentence(model.title)} | {rates} |" in text
    page = (output / "model_comparison.html").read_text(encoding="utf-8")
    assert "Mean error, %" in page
    for shown in (out, text, page):
        assert "Answered / wrong: images above a model" in shown


def test_damaged_record_of_robustness_is_refused_before_anything_is_measured(
    output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (output / "robustness.json").write_text("{")
    assert run(output) == 2
    assert "robustness.json" in capsys.readouterr().err
    assert not (output / "model_comparison.json").exists()


@pytest.mark.usefixtures("_only_the_record")
def test_recipes_with_two_seeds_are_studied(output: Path) -> None:
    for name, count in (("custom_cnn", 3), ("resnet50", 2)):
        record = read_record(output / f"{name}_metrics.json")
        for seed in range(count):
            test = replace(record.test, accuracy=record.test.accuracy - seed / 100)
            again = replace(record, training=replace(record.training, seed=seed), test=test)
            again.write(output / "seeds" / name / f"seed_{seed}_metrics.json")
    assert run(output) == 0
    found = read_comparison(output / "model_comparison.json")
    assert [summary.seeds for summary in found.seeds.summaries] == [(0, 1, 2), (0, 1)]
    assert len(found.seeds.tests) == 1
    assert "Over 3 seeds" in " ".join(found.conclusion)


def test_tensorboard_gets_the_scalars_and_two_figures_of_the_last_comparison(
    tmp_path: Path,
) -> None:
    comparison = golden_comparison()
    for _ in range(2):
        compare.log_to_tensorboard(comparison, tmp_path)
    assert len(list(tmp_path.glob("events.*"))) == 1
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    (logged,) = events.Scalars("verdict_test_accuracy/resnet50")
    assert logged.value == pytest.approx(comparison.models[1].test.accuracy)
    assert events.Tags()["images"] == ["verdict/accuracy", "verdict/tradeoff"]
    # After the groups of the trainings, of which TensorBoard opens the first two.
    assert all(tag > "val" for tag in events.Tags()["scalars"])


@pytest.mark.usefixtures("_only_the_record")
def test_identical_models_are_not_called_equal(output: Path) -> None:
    record = read_record(output / "custom_cnn_metrics.json")
    for end in ("model.pt", "predictions.npz"):
        shutil.copy(output / f"custom_cnn_{end}", output / f"resnet50_{end}")
    model, predictions = (output / f"resnet50_{end}" for end in ("model.pt", "predictions.npz"))
    twin = replace(
        record,
        model=replace(record.model, name="resnet50", file=describe_file(model)),
        predictions=describe_file(predictions),
    )
    twin.write(output / "resnet50_metrics.json")
    assert run(output) == 0
    found = read_comparison(output / "model_comparison.json")
    assert found.pairs[0].mcnemar_p == 1
    assert found.pairs[0].interval is None
    assert found.disputed == ()
    assert "does not show that they are equally accurate" in found.conclusion[0]


def test_one_record_alone_names_the_command_for_the_second(
    output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (output / "resnet50_metrics.json").unlink()
    line = refused(output, capsys)
    assert "only 'custom_cnn'" in line
    assert "train.py --model resnet50`" in line
    shutil.move(output / "custom_cnn_metrics.json", output / "x_metrics.json")
    assert "--model cnn` and `python scripts/train.py --model resnet50`" in refused(output, capsys)


def test_missing_record_of_a_named_model_names_its_command(
    output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (output / "custom_cnn_metrics.json").unlink()
    line = refused(output, capsys, "--models", "custom_cnn", "resnet50")
    assert "no record" in line
    assert "--model cnn`" in line


@pytest.mark.parametrize("end", ["model.pt", "predictions.npz"])
def test_missing_file_of_a_named_model_is_refused(
    output: Path, capsys: pytest.CaptureFixture[str], end: str
) -> None:
    (output / f"resnet50_{end}").unlink()
    line = refused(output, capsys, "--models", "custom_cnn", "resnet50")
    assert f"resnet50_{end}" in line
    assert "--model resnet50`" in line


@pytest.mark.parametrize("end", ["model.pt", "predictions.npz"])
def test_file_that_is_not_the_recorded_one_is_refused(
    output: Path, capsys: pytest.CaptureFixture[str], end: str
) -> None:
    shutil.copy(output / f"custom_cnn_{end}", output / f"resnet50_{end}")
    line = refused(output, capsys)
    assert f"resnet50_{end} is not the file that its record names" in line


def test_predictions_of_another_model_are_refused_even_with_a_matching_record(
    output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # As after copying files and editing the record until its hashes fit.
    record = read_record(output / "resnet50_metrics.json")
    shutil.copy(output / "custom_cnn_predictions.npz", output / "resnet50_predictions.npz")
    predictions = describe_file(output / "resnet50_predictions.npz")
    forged = replace(
        record,
        predictions=predictions,
        test=read_record(output / "custom_cnn_metrics.json").test,
    )
    forged.write(output / "resnet50_metrics.json")
    line = refused(output, capsys)
    assert "resnet50_model.pt gives other probabilities than its recorded predictions" in line


def test_predictions_that_contradict_the_record_are_refused(
    output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = output / "resnet50_predictions.npz"
    found = read_predictions(path)
    test = replace(found.test, probabilities=found.test.probabilities[::-1].copy())
    write_predictions(path, replace(found, test=test))
    record = read_record(output / "resnet50_metrics.json")
    replace(record, predictions=describe_file(path)).write(output / "resnet50_metrics.json")
    assert "do not describe the same predictions" in refused(output, capsys)


def test_file_that_is_not_a_model_is_refused(
    output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = output / "resnet50_model.pt"
    path.write_bytes(b"not a model")
    record = read_record(output / "resnet50_metrics.json")
    replace(record, model=replace(record.model, file=describe_file(path))).write(
        output / "resnet50_metrics.json"
    )
    line = refused(output, capsys)
    assert "resnet50_model.pt is not a valid TorchScript file" in line


def edit(output: Path, name: str, *keys: str, value: object) -> None:
    path = output / f"{name}_metrics.json"
    document = json.loads(path.read_text())
    part = document
    for key in keys[:-1]:
        part = part[key]
    part[keys[-1]] = value
    path.write_text(json.dumps(document))


def test_records_on_different_data_are_refused(
    output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(output, "resnet50", "dataset", "fingerprint", value="f" * 64)
    line = refused(output, capsys)
    assert "resnet50 was trained on" in line
    assert "(ffffffff)" in line
    assert "--model resnet50`" in line


def test_other_schema_version_is_refused(output: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(output, "resnet50", "schema_version", value=7)
    assert "schema version 7" in refused(output, capsys)


def test_record_under_another_name_is_refused(
    output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(output, "resnet50", "model", "name", value="other")
    assert "is that of 'other'" in refused(output, capsys)


def test_path_in_a_record_cannot_point_outside_the_folder(
    output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(output, "resnet50", "model", "file", "name", value="../../secret.pt")
    assert "model.file.name must be a file name without a folder" in refused(output, capsys)


def test_missing_and_other_images_are_refused_with_the_option(
    output: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert "--data_dir" in refused(output, capsys, "--data_dir", str(tmp_path / "none"))
    for name in ("custom_cnn", "resnet50"):
        edit(output, name, "dataset", "fingerprint", value="e" * 64)
    line = refused(output, capsys)
    assert "(eeeeeeee)" in line
    assert "--data_dir" in line


@pytest.mark.parametrize("argv", [["--help"], ["--version"], ["--models", "a", "a"]])
def test_help_version_and_mistakes_import_nothing_heavy(argv: list[str]) -> None:
    code = (
        "import sys; from mnist_lightning.commands.compare import main\n"
        f"try: main({argv!r})\nexcept SystemExit: pass\n"
        "assert not {'torch', 'numpy', 'matplotlib', 'lightning'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_interruption_exits_with_130(
    output: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "choose_models", interrupt)
    assert run(output) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_data_folder_is_the_one_of_the_training() -> None:
    record = read_record(GOLDEN_RECORD)

    def data_dir(*argv: str) -> Path:
        return replace(record, training=replace(record.training, command=argv)).data_dir

    assert data_dir("--model", "cnn") == Path("data")
    assert data_dir("--data.data_dir", "a b", "--model", "cnn") == Path("a b")
    assert data_dir("--data.data_dir=c") == Path("c")


def test_presets_are_found_by_the_names_of_their_files() -> None:
    assert presets_by_model_name()["custom_cnn"] == "cnn"


@pytest.mark.mnist
@pytest.mark.usefixtures("_only_the_record")
def test_whole_mnist_is_compared_with_and_without_label_errors(
    tmp_path: Path, mnist_dir: Path
) -> None:
    write_model(tmp_path, mnist_dir, "custom_cnn", noise=0.1)
    write_model(tmp_path, mnist_dir, "resnet50", noise=0.3)
    assert run(tmp_path) == 0
    found = read_comparison(tmp_path / "model_comparison.json")
    assert found.dataset.is_standard
    for model in found.models:
        cleaned = model.without_label_errors
        assert cleaned is not None
        assert cleaned.n == 10_000 - 15
        assert cleaned.correct == model.test.correct - (15 - len(cleaned.counted_wrong))
    golden = golden_comparison()
    assert found.dataset.name == golden.dataset.name


@pytest.mark.usefixtures("_only_the_record")
def test_presets_name_models_and_quiet_prints_the_summary_alone(
    output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(output, "--models", "resnet50", "cnn", "--quiet") == 0

    out, err = capsys.readouterr()
    assert err == ""
    assert "model_comparison.json" in out
    found = read_comparison(output / "model_comparison.json")
    assert [model.name for model in found.models] == ["resnet50", "custom_cnn"]
