import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from mnist_lightning.commands.robustness import main
from mnist_lightning.comparison.titles import in_sentence
from mnist_lightning.data.sources import load_dataset
from mnist_lightning.data.stratification import stratified_subset
from mnist_lightning.evaluation.metrics import wilson_interval
from mnist_lightning.export.trained_model import load_trained
from mnist_lightning.reporting.robustness_text import beside_clean_error, report
from mnist_lightning.reporting.tables import percent
from mnist_lightning.robustness.catalogue import corrupt
from mnist_lightning.robustness.error_rates import read_robustness, read_robustness_of
from mnist_lightning.robustness.saliency import saliency

FIGURES = ["robustness.png", "robustness_corruptions.png", "saliency.png"]


def run(output: Path, *arguments: str) -> int:
    return main(["--output_dir", str(output), *arguments])


@pytest.mark.slow
def test_two_models_are_measured_on_all_corruptions_and_sweeps(
    output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(output, "--limit", "40") == 0
    out, _ = capsys.readouterr()
    assert max(map(len, out.splitlines()[:-1])) <= 100
    assert "stratified random 40 of 100" in out
    record = read_robustness(output / "robustness.json")
    first, second = record.models
    assert [first.name, second.name] == ["custom_cnn", "resnet50"]
    assert len(first.corruptions) == 15
    rates = [rate.rate for rate in first.corruptions.values()]
    assert first.mean_error == pytest.approx(sum(rates) / 15)
    stripe = second.corruptions["stripe"]
    assert stripe.n == 40
    assert stripe.interval == wilson_interval(stripe.errors, 40)
    for points in second.sweeps.values():
        assert points[0].strength == 0
        assert points[0].error == second.clean
    for name in FIGURES:
        assert (output / name).stat().st_size > 10_000
    text = report(record)
    assert "40 of 100 test images" in text
    files = {"resnet50": second.file.sha256, "custom_cnn": "another"}
    path = output / "robustness.json"
    of_files = read_robustness_of(path, record.fingerprint, files)
    assert of_files is not None
    assert read_robustness_of(path, "of other data", files) is None
    assert read_robustness_of(path, record.fingerprint, {"resnet50": "another"}) is None
    beside = beside_clean_error(of_files)
    assert in_sentence(second.title) in beside
    assert in_sentence(first.title) not in beside


@pytest.mark.usefixtures("empty_figures")
def test_what_the_shipped_threshold_answers_is_recorded_and_printed(
    output: Path, tiny_data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (output / "custom_cnn_predictions.npz").unlink()
    assert run(output, "--corruptions", "stripe", "--limit", "50") == 0
    out, err = capsys.readouterr()
    record = read_robustness(output / "robustness.json")
    first, second = record.models
    assert list(second.corruptions) == ["stripe"]
    assert first.rejection is None
    assert first.clean.coverage is None
    assert "no rejection rule of custom_cnn: there is no" in err

    trained = load_trained(output / "resnet50_model.pt")
    assert second.rejection == trained.rejection
    test = load_dataset(tiny_data_dir, "mnist", download=False).test
    labels = test.labels.numpy()
    chosen = stratified_subset(labels, 50, 0)
    pixels = corrupt(test.images[chosen, 0].numpy(), "stripe", indices=chosen)
    probabilities = trained.probabilities(torch.from_numpy(pixels).unsqueeze(1))
    answered = trained.answers(probabilities)
    wrong = probabilities.argmax(axis=1) != labels[chosen]
    stripe = second.corruptions["stripe"]
    assert stripe.errors == wrong.sum()
    assert stripe.coverage == answered.mean()
    assert (stripe.answered.errors if stripe.answered else 0) == (wrong & answered).sum()
    cell = f"{percent(answered.mean())} / {percent(stripe.answered_rate or 0)}"
    assert cell in out if stripe.answered else "0.00 / n/a" in out


@pytest.mark.usefixtures("empty_figures")
def test_a_record_of_earlier_corruptions_says_so(output: Path) -> None:
    assert run(output, "--corruptions", "stripe", "--limit", "50") == 0
    record = read_robustness(output / "robustness.json")

    earlier = replace(record, corruptions_version=record.corruptions_version - 1)

    assert "earlier version of the corruptions" in report(earlier)
    assert "earlier version" not in report(record)
    assert "images answered" in report(record)


def test_a_damaged_record_is_refused(
    output: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from mnist_lightning.errors import OutputError

    path = tmp_path / "robustness.json"
    for text in ("{", "{}", json.dumps({"schema_version": 99})):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(OutputError, match=r"robustness\.py"):
            read_robustness(path)


def test_the_subset_keeps_the_proportions_of_the_digits() -> None:
    labels = np.array([0] * 600 + [1] * 300 + [2] * 100)
    chosen = stratified_subset(labels, 100, seed=0)
    assert len(set(chosen)) == 100
    np.testing.assert_allclose(np.bincount(labels[chosen]), [60, 30, 10], atol=1)
    assert (chosen != stratified_subset(labels, 100, seed=1)).any()
    assert len(stratified_subset(labels, 5000, seed=0)) == 1000


class Linear(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(784, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(images.flatten(1).float() / 255)
        return logits


def test_the_saliency_of_a_linear_network_is_weight_times_pixel() -> None:
    torch.manual_seed(0)
    network = Linear().eval()
    images = torch.randint(0, 256, (3, 1, 28, 28), dtype=torch.uint8)
    attributions, predicted = saliency(network, images)
    expected = network.head.weight[predicted].detach() * images.flatten(1) / 255
    np.testing.assert_allclose(attributions.reshape(3, -1), expected.numpy(), atol=1e-5)


@pytest.mark.usefixtures("empty_figures")
def test_models_without_their_weights_are_left_out_of_the_saliency(
    output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--corruptions", "stripe", "--limit", "10"]
    (output / "resnet50_model.safetensors").unlink()
    assert run(output, *options) == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if "saliency" in line]
    assert len(lines) == 1
    assert "no saliency of resnet50" in lines[0]
    assert "train it again with `python scripts/train.py --model resnet50`" in lines[0]
    assert (output / "saliency.png").is_file()

    (output / "custom_cnn_model.safetensors").unlink()
    assert run(output, *options) == 0
    # A figure of an earlier run would look as if it belonged to this one.
    assert not (output / "saliency.png").exists()


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from mnist_lightning.commands.robustness import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "assert not {'torch', 'numpy', 'matplotlib', 'scipy'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
