"""Which part of a network learns when, and how fast."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


@dataclass(frozen=True)
class Stage:
    """A part of a network and the time from which on it learns.

    All that it says is a function of the step alone, so that nothing has to be remembered when a
    training is interrupted.

    Attributes:
        part: Dotted name of a module in the network; empty for the whole network.
        start: Share of the training that is over when the part begins to learn, 0 to below 1.
        rate: Peak of its learning rate, as a multiple of the model's.
    """

    part: str = ""
    start: float = 0.0
    rate: float = 1.0

    def holds(self, name: str) -> bool:
        """Return whether a module or parameter of this dotted name is in the part."""
        return not self.part or name == self.part or name.startswith(f"{self.part}.")

    def first_step(self, total_steps: int) -> int:
        """Return the step, counted from 0, in which the part begins to learn."""
        return round(self.start * total_steps)

    def rate_factor(self, step: int, total_steps: int, warmup_steps: int) -> float:
        """Return the share of the peak learning rate that a step has.

        It is 0 before the stage, rises linearly in its first steps and falls along half a cosine
        (Loshchilov and Hutter, 2017) that ends with the training.

        Args:
            step: Number of the step, from 0.
            total_steps: Steps of the whole training.
            warmup_steps: Steps in which the rate rises, at the beginning of the stage.
        """
        since = step - self.first_step(total_steps)
        if since < 0:
            return 0.0
        if since < warmup_steps:
            return (since + 1) / warmup_steps
        length = total_steps - self.first_step(total_steps) - warmup_steps
        return 0.5 + 0.5 * math.cos(math.pi * min(1.0, (since - warmup_steps) / max(1, length)))


def stage_of(name: str, stages: Sequence[Stage]) -> Stage | None:
    """Find the stage with which a module or parameter begins to learn.

    Args:
        name: Its dotted name in the network.
        stages: In the order in which they begin; a part may contain those of earlier stages.

    Returns:
        The first stage that holds it, or None for what never learns.
    """
    return next((stage for stage in stages if stage.holds(name)), None)


class StagedRate(LambdaLR):
    """Gives each parameter group the learning rate of its stage.

    Args:
        optimizer: Its groups name their part under ``stage`` and have their peak rate.
        stages: Of these parts.
        total_steps: Steps of the whole training.
        warmup_steps: Steps in which the rate of a stage rises.
    """

    def __init__(
        self, optimizer: Optimizer, stages: Sequence[Stage], total_steps: int, warmup_steps: int
    ) -> None:
        # In the state of the schedule, like that of OneCycleLR.
        self.total_steps = total_steps
        by_part = {stage.part: stage for stage in stages}
        factors: list[Callable[[int], float]] = [
            partial(
                by_part[group["stage"]].rate_factor,
                total_steps=total_steps,
                warmup_steps=warmup_steps,
            )
            for group in optimizer.param_groups
        ]
        super().__init__(optimizer, factors)
