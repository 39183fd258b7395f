"""The stages of a training: when each part of a network is trained, and at what learning rate."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


@dataclass(frozen=True)
class Stage:
    """A part of a network and the time from which it is trained.

    Everything is a function of the step alone, so that resuming needs no further state.

    Attributes:
        part: Dotted name of a module in the network; empty for the whole network.
        start: Share of the training after which the part is trained, 0 to below 1.
        rate: Its peak learning rate, as a multiple of the model's.
    """

    part: str = ""
    start: float = 0.0
    rate: float = 1.0

    def holds(self, name: str) -> bool:
        """Return whether the part contains the module or parameter of this dotted name."""
        return not self.part or name == self.part or name.startswith(f"{self.part}.")

    def first_step(self, total_steps: int) -> int:
        """Return the first step, counted from 0, in which the part is trained."""
        return round(self.start * total_steps)

    def rate_factor(self, step: int, total_steps: int, warmup_steps: int) -> float:
        """Return the learning rate of a step as a share of the peak.

        It is 0 before the stage, rises linearly during its warm-up and then falls along half a
        cosine (Loshchilov and Hutter, 2017) to the end of the training.

        Args:
            step: Number of the step, from 0.
            total_steps: Steps of the whole training.
            warmup_steps: Steps of the warm-up, at the start of the stage.
        """
        since = step - self.first_step(total_steps)
        if since < 0:
            return 0.0
        if since < warmup_steps:
            return (since + 1) / warmup_steps
        length = total_steps - self.first_step(total_steps) - warmup_steps
        return 0.5 + 0.5 * math.cos(math.pi * min(1.0, (since - warmup_steps) / max(1, length)))


def stage_of(name: str, stages: Sequence[Stage]) -> Stage | None:
    """Return the stage in which the training of a module or parameter starts.

    Args:
        name: Its dotted name in the network.
        stages: The stages in starting order; a part may contain the parts of earlier stages.

    Returns:
        The first stage that holds it, or None if it is never trained.
    """
    return next((stage for stage in stages if stage.holds(name)), None)


class StagedRate(LambdaLR):
    """Schedules the learning rate of each parameter group by its stage.

    Args:
        optimizer: An optimiser whose groups name their part as ``stage`` and hold their peak rate.
        stages: The stages of these parts.
        total_steps: Steps of the whole training.
        warmup_steps: Steps during which the rate of a stage rises.
    """

    def __init__(
        self, optimizer: Optimizer, stages: Sequence[Stage], total_steps: int, warmup_steps: int
    ) -> None:
        # Part of the scheduler's state, as with OneCycleLR.
        self.total_steps = total_steps
        by_part = {stage.part: stage for stage in stages}
        steps = {"total_steps": total_steps, "warmup_steps": warmup_steps}
        factors: list[Callable[[int], float]] = [
            partial(by_part[group["stage"]].rate_factor, **steps)
            for group in optimizer.param_groups
        ]
        super().__init__(optimizer, factors)
