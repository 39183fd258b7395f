"""The same command twice on the same machine gives the same weights, whatever the batch size."""

from pathlib import Path

import pytest
import torch

from mnist_lightning.commands.train import main


def _weights(data_dir: Path, output_dir: Path, batch_size: str) -> dict[str, torch.Tensor]:
    argv = [
        *("--model", "cnn", "--data.data_dir", str(data_dir), "--data.batch_size", batch_size),
        *("--model.widths", "[4]", "--trainer.max_epochs", "2", "--trainer.accelerator", "cpu"),
        *("--trainer.limit_train_batches", "5", "--output_dir", str(output_dir)),
    ]
    assert main(argv) == 0
    path = output_dir / "runs/custom_cnn/version_0/checkpoints/last.ckpt"
    checkpoint = torch.load(path, weights_only=True)
    weights: dict[str, torch.Tensor] = checkpoint["state_dict"]
    return weights


@pytest.mark.parametrize("batch_size", ["1", "7", "350"])
def test_the_same_seed_gives_the_same_weights_with_any_batch_size(
    batch_size: str, tiny_data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mnist_lightning.experiment.write_results", lambda *args: "")
    first = _weights(tiny_data_dir, tmp_path / "first", batch_size)
    torch.rand(3)  # earlier draws must not matter
    second = _weights(tiny_data_dir, tmp_path / "second", batch_size)

    assert first.keys() == second.keys()
    assert [name for name in first if not torch.equal(first[name], second[name])] == []
