"""Several processes: their shards of the data, and metrics over all of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from lightning import Trainer

from mnist_lightning.data.datamodule import MNISTDataModule
from mnist_lightning.data.digits import Digits
from mnist_lightning.data.loader import BatchLoader
from mnist_lightning.models import CNNClassifier


@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_all_processes_take_the_same_number_of_steps_and_see_each_image_once(
    world_size: int,
) -> None:
    n = 101
    digits = Digits(torch.zeros(n, 1, 28, 28, dtype=torch.uint8), torch.arange(n))
    loaders = [
        BatchLoader(digits, 16, seed=1, rank=rank, world_size=world_size)
        for rank in range(world_size)
    ]
    batches = [list(loader) for loader in loaders]

    assert len({len(mine) for mine in batches}) == 1
    seen = torch.cat([batch.labels for mine in batches for batch in mine])
    assert seen.sort().values.tolist() == list(range(n))


# configure_logging() filters it too: torchmetrics has already reduced over all processes.
@pytest.mark.filterwarnings("ignore:.*sync_dist=True")
@pytest.mark.parametrize("world_size", [2, 3])
def test_metrics_are_the_same_for_any_number_of_processes(
    world_size: int, tiny_data: MNISTDataModule, make_trainer: Callable[..., Trainer]
) -> None:
    torch.manual_seed(0)
    model, copy = CNNClassifier(widths=[4, 8]), CNNClassifier(widths=[4, 8])
    copy.load_state_dict(model.state_dict())
    alone, together = (
        make_trainer(devices=devices, strategy=strategy)
        for devices, strategy in ((1, "auto"), (world_size, "ddp_fork"))
    )

    # 50 and 100 images, neither of which is divisible by three.
    for run in ("validate", "test"):
        getattr(alone, run)(model, tiny_data, verbose=False)
        getattr(together, run)(copy, tiny_data, verbose=False)
        expected, found = (
            {name: float(value) for name, value in trainer.callback_metrics.items()}
            for trainer in (alone, together)
        )

        assert expected
        for name, value in expected.items():
            # The loss is a sum of floats in another order.
            assert found[name] == pytest.approx(value, rel=1e-6 if "loss" in name else 0, abs=0)
