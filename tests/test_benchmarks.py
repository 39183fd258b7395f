"""The benchmarks run and write their results; no speed is tested.

The processes that they start are replaced by calls in this process.
"""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from benchmarks import (
    allocator,
    cnn_inference,
    compiled_step,
    ddp,
    fuzz_readers,
    gpu,
    harness,
    loop_overhead,
    scale,
    small_maps,
    start_up,
)
from benchmarks.bare_loop import BareLoop
from benchmarks.study import build_study
from benchmarks.transfer_pilot_figure import plot_pilot
from mnist_lightning.data.digits import Digits
from mnist_lightning.data.idx import read_image_label_pair
from mnist_lightning.data.standard import TRAIN_IMAGES, TRAIN_LABELS
from mnist_lightning.models.cnn import CNN

TINY = ["--model.widths", "[4]", "--model.convs_per_stage", "1"]


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder to which the benchmarks write."""
    monkeypatch.setattr(harness, "RESULTS", tmp_path)
    return tmp_path


def _read(path: Path) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return result


def test_loop_overhead(results: Path, tiny_data_dir: Path) -> None:
    loop_overhead.main(["--data_dir", str(tiny_data_dir), "--epochs", "2", *TINY])

    result = _read(results / "loop_overhead.json")
    assert result["training_options"] == TINY
    for network in ("custom CNN", "linear layer"):
        measured = result["networks"][network]
        assert (measured["images"], measured["steps"]) == (350, 3)
        assert len(measured["ours"]) == len(measured["bare"]) == 2
        # The steps, the validation and the end of each epoch are timed separately.
        assert all(min(epoch.values()) > 0 for epoch in measured["ours"])
        assert measured["trainer_by_bare"] > 0


def test_the_bare_loop_gives_the_same_weights_as_the_trainer(
    tiny_data_dir: Path, tmp_path: Path
) -> None:
    options = ["--data.data_dir", str(tiny_data_dir), "--trainer.max_epochs", "2"]
    options += ["--trainer.accelerator", "cpu", "--trainer.precision", "32-true"]
    options += ["--model.dropout", "0"]
    cli = build_study(tmp_path, ["--model", "cnn", *options, *TINY])
    cli.datamodule.setup()
    both = loop_overhead.Interleaved(BareLoop(cli))
    cli.trainer.callbacks.append(both)

    cli.trainer.fit(cli.model, cli.datamodule)

    # After training, the network has the averaged weights.
    ours, bare = cli.model.network.state_dict(), both.loop.average.state_dict()
    for name, value in ours.items():
        if value.is_floating_point():
            assert (value - bare[name]).abs().max() < 1e-5, name


def test_compiled_step(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Compiling takes a minute and a C++ compiler.
    monkeypatch.setattr(torch, "compile", lambda network: network)
    compiled_step.main(["--rounds", "2", "--steps", "1"])

    result = _read(results / "compiled_step.json")
    assert result["relative_difference_of_the_first_loss"] == 0
    assert len(result["seconds"]["torch.compile"]) == 2


def test_small_maps(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(small_maps, "BATCH_SIZE", 2)
    small_maps.main(["--rounds", "2", "--sizes", "32"])

    (result,) = _read(results / "small_maps.json")["sizes"]
    assert result["image_size"] == 32
    assert all(len(times) == 2 for times in result["seconds"].values())
    assert result["relative_difference_of_the_first_loss"] < 0.05


def test_the_pilot_is_drawn_with_the_best_decay_and_all_epochs() -> None:
    decays = {"layer2 1e-05": 0.9, "layer2 0.001": 0.95, "layer3 1e-05": 0.97, "layer4 1e-05": 0.8}
    figure = plot_pilot(
        {
            "frozen_64": {"accuracy": decays},
            "frozen_224": {"accuracy": decays},
            "finetune_64_0.001": {"accuracy": [0.98, 0.99, 0.995]},
            "head_resnet50_0.01_12": {"accuracy": [0.5]},
        }
    )
    frozen, whole = figure.axes
    errors = [list(line.get_ydata()) for line in frozen.get_lines()]
    assert errors == [pytest.approx([5, 5]), pytest.approx([3, 3]), pytest.approx([20, 20])]
    (line,) = whole.get_lines()
    assert list(line.get_xdata()) == [1, 2, 3]
    assert list(line.get_ydata()) == pytest.approx([2, 1, 0.5])
    assert line.get_label() == "ImageNet, 64, 0.001"


def test_cnn_inference(results: Path, tiny_data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cnn_inference, "BLOCK_SECONDS", 0.0001)
    options = ["--batches", "1", "3", "--rounds", "1", "--trainer.max_epochs", "1", *TINY]

    cnn_inference.main(["--data_dir", str(tiny_data_dir), *options])

    result = _read(results / "cnn_inference.json")
    assert [cell["batch"] for cell in result["times"]] == [1, 3]
    for cell in result["times"]:
        assert set(cnn_inference.SHIPPED) < set(cell["models"])
        assert all(row["images_per_second"] > 0 for row in cell["models"].values())
        assert cell["models"][cnn_inference.EAGER]["times_eager"] == 1
        assert cell["models"][cnn_inference.ONNX]["times_onnx_runtime"] == 1
    exact = {name for name, row in result["parity"].items() if row["max_abs_difference"] < 1e-4}
    # Hardly trained: most logits are close, so that bfloat16 does not decide.
    exact.discard(cnn_inference.BFLOAT16)
    assert result["parity"].keys() - exact == {cnn_inference.INT8, cnn_inference.BFLOAT16}
    assert result["parity"][cnn_inference.BFLOAT16]["argmax_agreement"] == 1
    assert (results / "cnn_inference.png").read_bytes().startswith(b"\x89PNG")


def _run_here(monkeypatch: pytest.MonkeyPatch, module: Any) -> None:
    """Replace ``python -m module`` by a call of its main function."""

    def run(command: list[str], **options: Any) -> None:
        assert command[1:3] == ["-m", module.__name__]
        module.main(command[3:])

    monkeypatch.setattr(module, "subprocess", SimpleNamespace(run=run))


def test_allocator(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny = {"tiny": (lambda: allocator._training(CNN((4,), 1), 8), 2)}
    monkeypatch.setattr(allocator, "CASES", tiny)
    monkeypatch.setattr(allocator, "measure_apart", allocator.measure)

    allocator.main(["--rounds", "2"])

    case = _read(results / "allocator.json")["cases"]["tiny"]
    assert case["times_as_fast"] > 0
    for quantity in ("ms", "pages", "peak_mib"):
        assert {name: len(runs) for name, runs in case[quantity].items()} == {
            "default": 2,
            "kept": 2,
        }


def test_the_fuzzer_starts_from_files_that_are_read_without_errors(results: Path) -> None:
    fuzz_readers.main(["--seconds", "0"])

    readers = _read(results / "fuzz_readers.json")["readers"]
    assert {name: found["executions"] for name, found in readers.items()} == {
        "idx": 2,
        "npz": 2,
        "predictions": 1,
    }
    assert all(found["crashes"] == {} for found in readers.values())
    assert all(found["lines_of_the_readers"] > 10 for found in readers.values())


def test_scale(results: Path, tiny_data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _run_here(monkeypatch, scale)
    monkeypatch.setattr(scale, "CHUNK", 300)

    scale.main(["--data_dir", str(tiny_data_dir), "--sizes", "500", "900"])

    result = _read(results / "scale.json")
    assert [cost["images"] for cost in result["costs"]] == [500, 900]
    assert all(cost["epoch_seconds"] > 0 for cost in result["costs"])
    assert result["lines"].keys() == {"setup_seconds", "epoch_seconds", "peak_bytes"}


def test_the_training_set_is_repeated_in_its_order(tiny_digits: Digits, tmp_path: Path) -> None:
    scale.write_repeated(tiny_digits, tmp_path, (TRAIN_IMAGES, TRAIN_LABELS), 120)

    files = (tmp_path / file.name for file in (TRAIN_IMAGES, TRAIN_LABELS))
    repeated = read_image_label_pair(*files)
    again = torch.arange(120) % len(tiny_digits)
    assert torch.equal(repeated.images, tiny_digits.images[again])
    assert torch.equal(repeated.labels, tiny_digits.labels[again])


def test_a_line_is_fitted_to_the_costs() -> None:
    costs = [scale.Cost(n, 0.0, 2 + n / 1000, 50 + 784 * n) for n in (1000, 2000, 5000)]

    memory, epoch = scale.fit_line(costs, "peak_bytes"), scale.fit_line(costs, "epoch_seconds")

    assert memory["per_image"] == pytest.approx(784)
    assert memory["constant"] == pytest.approx(50)
    assert memory["largest_deviation"] == pytest.approx(0, abs=1e-9)
    assert epoch["per_image"] == pytest.approx(0.001)
    assert epoch["constant"] == pytest.approx(2)


def test_ddp(results: Path, tiny_data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # tests/faults/test_distributed_runs.py trains in two processes.
    _run_here(monkeypatch, ddp)
    monkeypatch.setattr(ddp, "VARIANTS", (ddp.BASE, ddp.Variant(1, 1, 64)))
    options = ["--rounds", "1", "--epochs", "1", "--images", "128"]

    ddp.main(["--data_dir", str(tiny_data_dir), *options, *TINY])

    first, second = _read(results / "ddp.json")["variants"]
    assert first["times_one_thread"] == first["efficiency"] == 1
    assert second["images_per_second"] > 0


def _fake_part(complete: bool) -> gpu.Part:
    def measure(folder: gpu.Folder) -> dict[str, Any]:
        code = "print(1)" if complete else "import time; time.sleep(60)"
        return {"complete": folder.wait(folder.start("-c", code))}

    return gpu.Part(measure, 30 if complete else 0.5)


def test_parts_of_the_gpu_benchmark_are_kept_and_limited_in_time(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu, "PARTS", {"quick": _fake_part(True), "slow": _fake_part(False)})
    options = ["--work_dir", str(tmp_path / "work")]
    gpu.main(options)
    first = _read(results / "gpu.json")["parts"]
    assert first["quick"]["complete"] is True
    assert first["slow"]["complete"] is False
    assert first["slow"]["seconds"] < 30

    gpu.main(options)
    assert _read(results / "gpu.json")["parts"] == first
    gpu.main([*options, "--parts", "quick"])
    again = _read(results / "gpu.json")["parts"]
    assert again["slow"] == first["slow"]


def test_the_parts_fit_into_eight_minutes() -> None:
    assert sum(part.seconds for part in gpu.PARTS.values()) <= 8 * 60


@pytest.mark.slow
def test_fine_tuning_is_compared_with_its_bare_step(
    tmp_path: Path, tiny_data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu, "WARM_UP", 1)
    monkeypatch.setattr(gpu, "TIMED", 1)
    data = ["--data_dir", str(tiny_data_dir), "--measure", str(tmp_path / "m.json")]
    small = ["--model.image_size", "28", "--trainer.limit_train_batches", "2"]
    gpu.main([*data, *small, "--data.batch_size", "8", "--trainer.accelerator", "cpu"])
    measured = _read(tmp_path / "m.json")
    assert measured["share_of_bare_speed"] > 0
    assert measured["image_size"] == 28


def test_start_up_reports_each_command(
    results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(start_up, "commands", lambda folder: {"pass": ["-c", "pass"]})
    monkeypatch.setattr(start_up, "IMPORT_TORCH", "pass")

    start_up.main(["--rounds", "2"])

    assert len(_read(results / "start_up.json")["cpu_seconds"]["pass"]) == 2
    assert "| 1.0 |" in capsys.readouterr().out


def test_commands_that_start_up_times_exist(tmp_path: Path) -> None:
    for arguments in start_up.commands(tmp_path).values():
        assert arguments[0] == "-c" or Path(arguments[0]).is_file()
