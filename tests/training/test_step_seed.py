from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from mnist_lightning.training.step_seed import StepSeed


def _begin(seed: int, step: int, rank: int = 0, device: str = "cpu") -> None:
    strategy = SimpleNamespace(root_device=torch.device(device))
    trainer: Any = SimpleNamespace(global_step=step, global_rank=rank, strategy=strategy)
    module: Any = None
    StepSeed(seed).on_train_batch_start(trainer, module, None, 0)


def _numbers(seed: int, step: int, rank: int = 0) -> Tensor:
    _begin(seed, step, rank)
    return torch.rand(4)


def test_the_numbers_of_a_step_do_not_depend_on_earlier_draws() -> None:
    first = _numbers(seed=3, step=5)
    torch.rand(100)
    _numbers(seed=3, step=6)

    assert torch.equal(_numbers(seed=3, step=5), first)


def test_seeds_steps_and_processes_draw_different_numbers() -> None:
    drawn = [_numbers(seed, step, rank) for seed in (0, 1) for step in (0, 1) for rank in (0, 1)]

    assert len(torch.unique(torch.stack(drawn), dim=0)) == 8


def test_the_training_device_and_the_cpu_get_the_same_seed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seeds: list[int] = []
    module = SimpleNamespace(manual_seed=seeds.append)
    monkeypatch.setattr(torch, "get_device_module", lambda device: module)

    _begin(seed=3, step=5, device="cuda")

    drawn = torch.rand(4)
    (seed,) = seeds
    assert seed == int(np.random.SeedSequence((3, 5, 0)).generate_state(1, np.uint64)[0]) >> 1
    torch.manual_seed(seed)
    assert torch.equal(torch.rand(4), drawn)
