"""Model cards, read with the library of the hub that they are written for."""

from dataclasses import replace
from pathlib import Path

import pytest
from comparison_inputs import GOLDEN_RECORD, golden_comparison
from huggingface_hub import ModelCard

from mnist_lightning.evaluation.rejection import Rejection
from mnist_lightning.records.exported_files import Exports, read_exports
from mnist_lightning.records.record import Record, read_record
from mnist_lightning.records.weights_origin import WeightsOrigin
from mnist_lightning.reporting.card import model_card

EXPORTS = Path(__file__).parents[2] / "output" / "published" / "custom_cnn_exports.json"
REJECTION = Rejection(0.5, 0.93, 0.001, 0.995, 4, 4973)
EVIL = 'X: "y" | `z`\n---\n# **[a](b)** <script> 😀'


@pytest.fixture
def record() -> Record:
    return read_record(GOLDEN_RECORD)


@pytest.fixture
def exports() -> Exports:
    return read_exports(EXPORTS)


def card_of(record: Record, exports: Exports | None = None) -> ModelCard:
    calibration = golden_comparison().models[0].calibration
    return ModelCard(model_card(record, exports, calibration, REJECTION))


def test_front_matter_tells_the_hub_what_the_model_is(record: Record, exports: Exports) -> None:
    data = card_of(record, exports).data
    assert data.license == "mit"
    assert data.library_name == "pytorch"
    assert data.pipeline_tag == "image-classification"
    assert data.datasets == ["mnist"]
    assert data.metrics == ["accuracy"]
    assert data.model_name == record.model.name
    (result,) = data.eval_results
    assert (result.task_type, result.dataset_type) == ("image-classification", "mnist")
    assert (result.dataset_name, result.dataset_split) == ("MNIST", "test")
    assert result.metric_type == "accuracy"
    assert result.metric_value == pytest.approx(record.test.accuracy)


def test_card_states_the_numbers_of_the_record(record: Record, exports: Exports) -> None:
    text = card_of(record, exports).text
    for number in ("99.60 %", "99.46–99.71 %", "0.9960", "94,410", "15 epochs with seed", "0.9300"):
        assert number in text
    assert all(one.file.name in text for one in exports.files)
    assert "Not computed" not in text
    assert "their softmax is calibrated" in text
    assert "on 5,000 validation images. The exported files contain it: softmax of" in text
    assert "\n\n\n" not in text
    assert text.endswith("with the model.\n")


def test_card_says_what_it_does_not_know(record: Record) -> None:
    text = model_card(record, None, None, None)
    assert "Not computed" in text
    assert record.model.file.name in text
    nothing = replace(REJECTION, answered=0)
    calibration = golden_comparison().models[0].calibration
    assert "at or below 0.1 %." in model_card(record, None, calibration, nothing)


def test_data_of_the_user_are_not_called_mnist(record: Record) -> None:
    dataset = replace(record.dataset, name="custom IDX files", is_standard=False)
    card = card_of(replace(record, dataset=dataset))
    assert card.data.datasets is None
    assert card.data.eval_results[0].dataset_type == "custom"
    assert "not comparable with those published for MNIST" in card.text


def test_text_from_the_record_stays_text(record: Record) -> None:
    model = replace(record.model, name=EVIL, title=EVIL, weights=EVIL)
    training = replace(record.training, command=("--model", "`rm`\n# x"))
    environment = replace(record.environment, processor=EVIL)
    card = card_of(replace(record, model=model, training=training, environment=environment))
    assert card.data.model_name == EVIL
    safe = r'X: "y" \| \`z\` --- # \*\*\[a](b)\*\* &lt;script> ' + "😀"
    assert card.text.count(safe) == 3
    assert "- Made with: `` python scripts/train.py --model '`rm` # x' ``\n" in card.text
    # Every row of every table has as many cells as its header.
    rows = [line.replace("\\|", "") for line in card.text.splitlines() if line.startswith("|")]
    assert {row.count("|") for row in rows[:10]} == {3}


def test_card_of_an_ensemble_names_its_seeds(record: Record) -> None:
    path = Path(__file__).parents[2] / "output" / "published" / "custom_cnn_ensemble_metrics.json"
    ensemble = read_record(path)
    text = card_of(ensemble).text
    seeds = [str(seed) for seed in ensemble.seeds]
    assert len(seeds) == 5
    assert f"of 5 networks, trained for 125 epochs in all with the seeds {', '.join(seeds)}" in text
    assert f" --seeds {' '.join(seeds)}`, then `python" in text


@pytest.mark.parametrize(("said", "hub"), [("Camera Non-Commercial", "other"), (None, "mit")])
def test_card_names_the_file_and_the_licence_of_the_weights_it_started_from(
    record: Record, said: str | None, hub: str
) -> None:
    origin = WeightsOrigin("Photographs", "a [camera](x)", said, "ab" * 32)
    card = card_of(replace(record, model=replace(record.model, weights_origin=origin)))
    assert card.data.license == hub
    licence = card.text.rpartition("## Licence")[2]
    assert f"started from Photographs (SHA-256 `{'ab' * 32}`; source: a \\[camera](x))" in licence
    assert (said or "is not stated in its file") in licence
    assert "MIT, code and weights" not in licence
    assert licence.endswith("with the model.\n")
    assert "\n\n\n" not in card.text
