from dataclasses import replace
from pathlib import Path

import pytest

from mnist_lightning.records.record import Record, read_record
from mnist_lightning.reporting.summary import summary

FILES = [
    Path("output", f"custom_cnn_{name}")
    for name in (
        "model.pt",
        "metrics.json",
        "predictions.npz",
        "training_curves.png",
        "confusion_matrix.png",
        "examples.png",
    )
]
NEXT = "python scripts/train.py --model resnet50"


@pytest.fixture
def record() -> Record:
    return read_record(Path(__file__).parents[1] / "records" / "record_v3.json")


def rows_of(record: Record) -> dict[str, str]:
    """The table of the summary."""
    lines = summary(record, FILES, NEXT).splitlines()[1:]
    table = lines[: lines.index("")]
    width = len("Batches of 256, CPU, ms/image")
    return {line[:width].strip(): line[width:].strip() for line in table}


def test_summary_shows_the_results_the_files_and_the_next_command(record: Record) -> None:
    lines = summary(record, FILES, NEXT).splitlines()
    assert lines[0] == f"Custom CNN on {record.dataset.label}"
    assert rows_of(record) == {
        "Test accuracy, %": "99.60",
        "95 % interval (Wilson)": "99.46–99.71",
        "Errors": "40",
        "Test images": "10,000",
        "Macro F1": "0.9960",
        "Time": "8 min 32 s",
        "Seed": "0",
        "Epochs": "15",
        "On": record.environment.processor,
        "Precision": "bf16-mixed",
        "Parameters": "94,410",
        "Trained parameters": "94,410",
        "Started from": "random initialisation",
        "CPU threads": "2",
        "One image, CPU, ms": "0.710",
        "Batches of 256, CPU, ms/image": "0.250",
    }
    written = lines.index("Written to output:")
    assert ", ".join(path.name for path in FILES) == " ".join(lines[written + 1 : -2])
    assert lines[-2:] == ["", f"Next: {NEXT}"]


def test_partly_frozen_model_shows_how_many_parameters_were_trained(record: Record) -> None:
    frozen = replace(record.model.parameters, total=23_528_522, trainable=20_490)
    rows = rows_of(replace(record, model=replace(record.model, parameters=frozen)))
    assert (rows["Parameters"], rows["Trained parameters"]) == ("23,528,522", "20,490")


def test_several_gpus_are_counted(record: Record) -> None:
    training = replace(record.training, accelerator="cuda", devices=2)
    environment = replace(record.environment, gpu="NVIDIA H100")
    record = replace(record, training=training, environment=environment)
    assert rows_of(record)["On"] == "2 x NVIDIA H100"


def test_lines_fit_100_columns_with_long_names_and_slow_networks(record: Record) -> None:
    record = replace(
        record,
        model=replace(record.model, title="ResNet50 (from scratch, random initialisation)"),
        dataset=replace(record.dataset, name="custom IDX files"),
        latency=replace(record.latency, single=replace(record.latency.single, p50_ms=123456.789)),
    )
    lines = summary(record, FILES * 3, NEXT).splitlines()
    assert max(map(len, lines)) <= 100
    assert any("123,457" in line for line in lines)


def test_long_paths_and_commands_are_kept_whole(record: Record) -> None:
    path = Path("/a folder", "with-hyphens-" * 12, "model.pt")
    command = "python scripts/train.py --model " + "x" * 120
    text = summary(record, [path], command)
    assert str(path.parent) in text
    assert command in text
