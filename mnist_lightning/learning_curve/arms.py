"""The arms of the learning curve, and how long each trains on how many labelled digits."""

import math
from dataclasses import dataclass
from typing import Literal

SIZES = (100, 300, 1_000, 3_000, 10_000, 55_000)
"""Numbers of labelled digits; the last is the training set of the study's own split."""

Start = Literal["pretrained", "random", "redrawn"]
"""The weights that an arm starts from: pretrained, random, or random with the mean and standard
deviation of each tensor of the pretrained ones."""


@dataclass(frozen=True)
class Arm:
    """A way to train a model.

    Attributes:
        name: What ``--models`` takes.
        title: Its name in figures and tables.
        preset: The preset with its hyperparameters.
        start: What it starts from.
        least_steps: The smallest number of optimiser steps; None for a linear layer on frozen
            features, which is trained until it converges.
        times: Factor of the number of epochs of the preset.
        augmentation: The preset whose augmentation it trains with; None for its own.
    """

    name: str
    title: str
    preset: str
    start: Start
    least_steps: int | None
    times: int = 1
    augmentation: str | None = None

    def steps(self, size: int, batch_size: int, epochs: int, whole: int) -> int:
        """Return the number of optimiser steps, a rule that needs no labels beyond the ``size``.

        They grow with the square root of the number of images, from ``least_steps`` to those of
        the preset on the whole training set: fewer images need more passes over them, but
        learning to tell them apart also takes fewer steps.

        Args:
            size: Number of labelled images.
            batch_size: Images per step of the preset.
            epochs: Epochs of the preset.
            whole: Number of images of the whole training set.
        """
        full = epochs * math.ceil(whole / batch_size)
        return max(self.least_steps or 0, round(full * math.sqrt(size / whole)))


#: The first arm is the one that all others are compared with. The controls of the frozen backbone
#: tell what its features owe to ImageNet: one has random weights, the other random weights with the
#: scale of the pretrained ones. Training from scratch differs from fine-tuning in its start alone,
#: and then trains three times as long. The CNN's own augmentation is more varied than that of
#: ResNet50, so it is also trained with that one, and without any, as frozen features are.
ARMS = (
    Arm("cnn", "Custom CNN", "cnn", "random", 1000),
    Arm(
        "cnn_affine",
        "Custom CNN, augmentation of ResNet50",
        "cnn",
        "random",
        1000,
        augmentation="resnet50_finetune_small",
    ),
    Arm(
        "cnn_undistorted",
        "Custom CNN, no augmentation",
        "cnn",
        "random",
        1000,
        augmentation="resnet50",
    ),
    Arm("resnet50", "ResNet50, frozen", "resnet50", "pretrained", None),
    Arm("resnet50_layer3", "ResNet50 up to layer 3, frozen", "resnet50_layer3", "pretrained", None),
    Arm("resnet50_finetune", "ResNet50, fine-tuned", "resnet50_finetune_small", "pretrained", 300),
    Arm("resnet50_scratch", "ResNet50, from scratch", "resnet50_finetune_small", "random", 300),
    Arm(
        "resnet50_long",
        "ResNet50, from scratch, longer",
        "resnet50_finetune_small",
        "random",
        900,
        3,
    ),
    Arm("resnet50_random", "ResNet50, random and frozen", "resnet50", "random", None),
    Arm("resnet50_redrawn", "ResNet50, scale only and frozen", "resnet50", "redrawn", None),
)

TITLES = {arm.name: arm.title for arm in ARMS}
