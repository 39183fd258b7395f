"""A long run leaves files of a bounded size and number, and nothing open."""

import gc
import sys
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("the kernel's lists are read as Linux writes them", allow_module_level=True)

from open_things import count

from mnist_lightning.train import main

EPOCHS = 200
#: Bytes. Two figures and the settings take 120,000, an epoch adds 370.
LARGEST_EVENTS = 300_000


def _train(data_dir: Path, output_dir: Path, epochs: int) -> Path:
    words = [
        *("--model", "cnn", "--model.widths", "[4]", "--data.data_dir", str(data_dir)),
        *("--data.batch_size", "64", "--trainer.limit_train_batches", "1"),
        *("--trainer.max_epochs", str(epochs), "--trainer.accelerator", "cpu"),
        *("--export_formats", "[]", "--output_dir", str(output_dir)),
    ]
    assert main(words) == 0
    return output_dir / "runs" / "custom_cnn" / "version_0"


@pytest.mark.slow
def test_two_hundred_epochs_leave_two_checkpoints_one_file_of_events_and_nothing_open(
    tiny_data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mnist_lightning.evaluation.latency.BUDGET_SECONDS", 0.05)
    # What the first run in a process loads is there to stay.
    _train(tiny_data_dir, tmp_path / "first", 1)
    gc.collect()
    before = count()

    folder = _train(tiny_data_dir, tmp_path / "second", EPOCHS)

    gc.collect()
    assert count() == before
    assert sorted(path.name for path in folder.glob("checkpoints/*")) == ["best.ckpt", "last.ckpt"]
    (events,) = folder.glob("**/events.out.tfevents*")
    assert events.stat().st_size < LARGEST_EVENTS
    header, *rows = (folder / "metrics.csv").read_text().splitlines()
    assert header.startswith("epoch,")
    assert [row.split(",")[0] for row in rows] == [str(epoch + 1) for epoch in range(EPOCHS)]
