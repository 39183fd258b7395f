"""A long run writes files of bounded size and number, and leaves no file or thread open."""

import gc
import sys
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("the kernel's lists are read as Linux writes them", allow_module_level=True)

from benchmarks.process_resources import open_resources
from mnist_lightning.commands.train import main

EPOCHS = 60
#: Bytes. Each epoch adds 370; the figures are empty, and the settings are short.
LARGEST_EVENTS = 65_000


def _train(data_dir: Path, output_dir: Path, epochs: int) -> Path:
    argv = [
        *("--model", "cnn", "--model.widths", "[4]", "--data.data_dir", str(data_dir)),
        *("--data.batch_size", "64", "--trainer.limit_train_batches", "1"),
        *("--trainer.max_epochs", str(epochs), "--trainer.accelerator", "cpu"),
        *("--export_formats", "[]", "--output_dir", str(output_dir)),
    ]
    assert main(argv) == 0
    return output_dir / "runs" / "custom_cnn" / "version_0"


@pytest.mark.slow
@pytest.mark.usefixtures("empty_figures")
def test_sixty_epochs_write_two_checkpoints_and_one_event_file_and_leave_nothing_open(
    tiny_data_dir: Path, tmp_path: Path
) -> None:
    # The first run in a process loads libraries that stay open.
    _train(tiny_data_dir, tmp_path / "first", 1)
    gc.collect()
    before = open_resources()

    folder = _train(tiny_data_dir, tmp_path / "second", EPOCHS)

    gc.collect()
    assert open_resources() == before
    checkpoints = sorted(path.name for path in folder.glob("checkpoints/*"))
    assert checkpoints == ["last.ckpt", "previous.ckpt"]
    (events,) = folder.glob("**/events.out.tfevents*")
    assert events.stat().st_size < LARGEST_EVENTS
    header, *rows = (folder / "metrics.csv").read_text().splitlines()
    assert header.startswith("epoch,")
    assert [row.split(",")[0] for row in rows] == [str(epoch + 1) for epoch in range(EPOCHS)]
