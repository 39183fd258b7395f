from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from mnist_lightning.training.seeding import StepSeed


def _numbers(seed: int, step: int, rank: int = 0) -> Tensor:
    trainer: Any = SimpleNamespace(global_step=step, global_rank=rank)
    nobody: Any = None
    StepSeed(seed).on_train_batch_start(trainer, nobody, None, 0)
    return torch.rand(4)


def test_a_step_draws_the_same_numbers_whatever_happened_before() -> None:
    first = _numbers(seed=3, step=5)
    torch.rand(100)
    _numbers(seed=3, step=6)

    assert torch.equal(_numbers(seed=3, step=5), first)


def test_seeds_steps_and_processes_draw_different_numbers() -> None:
    drawn = [_numbers(seed, step, rank) for seed in (0, 1) for step in (0, 1) for rank in (0, 1)]

    assert len(torch.unique(torch.stack(drawn), dim=0)) == 8
