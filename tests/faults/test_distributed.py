"""Several processes: the loss of one is recognised, and the shards of all fit together."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import torch
import torch.distributed as dist
from lightning import Trainer
from lightning.pytorch.strategies import DDPStrategy
from torch import multiprocessing

from mnist_lightning.data.datamodule import MNISTDataModule
from mnist_lightning.data.digits import Digits
from mnist_lightning.data.loader import BatchLoader
from mnist_lightning.models import CNNClassifier
from mnist_lightning.training.peers import is_lost_peer, watch_processes
from mnist_lightning.training.study_trainer import StudyTrainer


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _rank(rank: int, port: int, answers: Any) -> None:
    torch.set_num_threads(1)
    store = dist.TCPStore("127.0.0.1", port, 2, is_master=rank == 0)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=2, timeout=timedelta(0, 5))
    dist.all_reduce(torch.ones(1))
    if rank == 1:
        os._exit(9)
    try:
        dist.all_reduce(torch.ones(1))
        answers.put("went on")
    except RuntimeError as error:
        answers.put("lost" if is_lost_peer(error) else f"unknown: {error}")


def test_a_process_that_dies_is_recognised_by_those_who_wait_for_it() -> None:
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    port = _free_port()
    processes = [context.Process(target=_rank, args=(rank, port, answers)) for rank in (0, 1)]
    for process in processes:
        process.start()
    try:
        assert answers.get(timeout=60) == "lost"
    finally:
        for process in processes:
            process.kill()
            process.join()


def test_other_mistakes_are_not_blamed_on_another_process() -> None:
    assert not is_lost_peer(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


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


# The program says the same, see quiet.py: torchmetrics has counted over all processes already.
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

    # 50 and 100 images: three processes cannot share either of them evenly.
    for run in ("validate", "test"):
        getattr(alone, run)(model, tiny_data, verbose=False)
        getattr(together, run)(copy, tiny_data, verbose=False)
        expected, found = (
            {name: float(value) for name, value in trainer.callback_metrics.items()}
            for trainer in (alone, together)
        )

        assert expected
        for name, value in expected.items():
            # The loss is a sum of floats, in another order.
            assert found[name] == pytest.approx(value, rel=1e-6 if "loss" in name else 0, abs=0)


def test_the_time_out_reaches_the_processes() -> None:
    trainer = StudyTrainer(accelerator="cpu", devices=2, strategy="ddp", logger=False, timeout=7)

    watch_processes(trainer, trainer.timeout, "resume")

    assert isinstance(trainer.strategy, DDPStrategy)
    assert trainer.strategy._timeout == timedelta(seconds=7)
