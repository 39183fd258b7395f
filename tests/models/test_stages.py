"""Stages and their learning rates."""

import pytest
import torch
from torch import nn

from mnist_lightning.models.stages import Stage, StagedRate, stage_of

PARTS = [Stage("head"), Stage("backbone.last", 0.3, 0.5), Stage("backbone", 0.5, 0.1)]


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("head.weight", "head"),
        ("backbone.last.0.bias", "backbone.last"),
        ("backbone.last", "backbone.last"),
        ("backbone.lastly.bias", "backbone"),
        ("backbone.first.weight", "backbone"),
        ("header.weight", None),
    ],
)
def test_a_parameter_belongs_to_the_first_stage_that_holds_it(name: str, part: str | None) -> None:
    found = stage_of(name, PARTS)
    assert (found and found.part) == part


def test_a_stage_without_a_part_holds_the_whole_network() -> None:
    assert stage_of("anything.at.all", [Stage()]) == Stage()


def test_the_rate_is_zero_before_the_stage_then_rises_and_falls_to_zero() -> None:
    stage = Stage("last", start=0.3)
    factors = [stage.rate_factor(step, 100, 10) for step in range(101)]
    assert factors[:30] == [0.0] * 30
    assert factors[30:40] == pytest.approx([0.1 * step for step in range(1, 11)])
    assert factors[40] == 1
    falling = factors[40:]
    assert falling == sorted(falling, reverse=True)
    assert falling[30] == pytest.approx(0.5)
    assert factors[100] == pytest.approx(0)


def test_without_a_warm_up_the_rate_starts_at_its_peak() -> None:
    assert Stage().rate_factor(0, 10, 0) == 1


def test_each_parameter_group_follows_its_own_stage() -> None:
    groups = [
        {"params": [nn.Parameter(torch.zeros(1))], "stage": stage.part, "lr": 2 * stage.rate}
        for stage in PARTS
    ]
    optimizer = torch.optim.SGD(groups)
    schedule = StagedRate(optimizer, PARTS, total_steps=20, warmup_steps=2)
    for step in range(20):
        assert [group["lr"] for group in optimizer.param_groups] == pytest.approx(
            [2 * stage.rate * stage.rate_factor(step, 20, 2) for stage in PARTS]
        )
        optimizer.step()
        schedule.step()
    assert schedule.state_dict()["total_steps"] == 20
