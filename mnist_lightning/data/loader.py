"""Batches as index slices of tensors in memory, exactly reproducible and resumable.

A DataLoader over single images costs a hundred times a slice of a tensor, and its order cannot be
continued in the middle of an epoch. Here the order and the distortions are a pure function of
(seed, epoch, step), so the whole state of the loader is two integers.
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Generator, Tensor

from mnist_lightning.data.augmentation import Augmentation, Warp
from mnist_lightning.data.digits import Digits, Subset


class Batch(NamedTuple):
    """What a loader yields.

    Attributes:
        images: uint8 ``(B, 1, 28, 28)``, not yet distorted.
        labels: int64 ``(B,)``.
        warp: The distortions to apply once the batch is on its device, or None.
    """

    images: Tensor
    labels: Tensor
    warp: Warp | None


class BatchLoader:
    """Iterates over digits in batches; Lightning treats it like any other dataloader.

    Batches are cut so that their sizes differ by at most one: a last batch of a few images would
    disturb batch normalisation and the running averages. Across the processes of a distributed run
    every image is seen exactly once an epoch, without padding.

    Args:
        digits: The images and labels, on the CPU or wholly on a GPU.
        batch_size: Largest number of images in a batch of one process.
        seed: Shuffles the order anew each epoch; None keeps the order.
        augmentation: Where distortions are drawn from; needs a seed. None means none.
        more_passes: Other versions of the same images, which take turns with ``digits``, one an
            epoch.
        rank: Number of this process.
        world_size: Number of processes.
    """

    #: Lightning asks for it wherever there is a sampler.
    batch_sampler = None

    def __init__(
        self,
        digits: Digits | Subset,
        batch_size: int,
        *,
        seed: int | None = None,
        augmentation: Augmentation | None = None,
        more_passes: Sequence[Digits | Subset] = (),
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        if len(digits) < world_size:
            raise ValueError(f"{len(digits)} images cannot be shared by {world_size} processes")
        if augmentation is not None and seed is None:
            raise ValueError("augmentation needs a seed")
        if any(len(other) != len(digits) for other in more_passes):
            raise ValueError("all passes must be versions of the same images")
        self._passes = (digits, *more_passes)
        self.seed = seed
        self.augmentation = augmentation
        self.rank = rank
        self.world_size = world_size
        self.batch_size = batch_size
        self.epoch = 0
        self._position = 0
        self._resume_at = 0

    @property
    def digits(self) -> Digits | Subset:
        """The images and labels of this epoch."""
        return self._passes[self.epoch % len(self._passes)]

    @property
    def sampler(self) -> "BatchLoader":
        """This loader: Lightning calls ``loader.sampler.set_epoch`` before each epoch."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Choose the order and the distortions of the given epoch, counted from zero."""
        self.epoch = epoch

    def state_dict(self) -> dict[str, int]:
        """Return how many batches of an unfinished epoch have been handed out."""
        return {"position": self._position % len(self)}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Begin the next iteration where ``state`` was taken."""
        self._resume_at = state["position"]

    def __len__(self) -> int:
        steps = math.ceil(len(self.digits) / (self.batch_size * self.world_size))
        # A rank without an image would leave the others waiting for it.
        return min(steps, len(self.digits) // self.world_size)

    def __iter__(self) -> Iterator[Batch]:
        # A generator, so that the epoch is read when the first batch is asked for: Lightning makes
        # the iterator before it tells the epoch.
        cuts = torch.arange(len(self) + 1) * len(self.digits) // len(self)
        order = self._order()
        first, self._resume_at = self._resume_at, 0
        for step in range(first, len(self)):
            start, stop = int(cuts[step]), int(cuts[step + 1])
            mine = slice(start + self.rank, stop, self.world_size)
            self._position = step + 1
            yield self._batch(mine, order, step, stop - start)

    def _batch(self, mine: slice, order: Tensor | None, step: int, total: int) -> Batch:
        part = self.digits[mine if order is None else order[mine]]
        if self.augmentation is None:
            return Batch(part.images, part.labels, None)
        # Drawn for the batches of all processes, so that an image is distorted in the same way
        # whatever their number.
        warp = self.augmentation.draw(total, self._generator(step + 1))
        affine, elastic = (
            None if field is None else field[self.rank :: self.world_size] for field in warp
        )
        assert affine is not None
        return Batch(part.images, part.labels, Warp(affine, elastic))

    def _order(self) -> Tensor | None:
        if self.seed is None:
            return None
        order = torch.randperm(len(self.digits), generator=self._generator(0))
        return order.to(self.digits.device)

    def _generator(self, stream: int) -> Generator:
        """A generator of its own for (seed, epoch, stream): 0 is the order, n is step n - 1."""
        assert self.seed is not None
        sequence = np.random.SeedSequence((self.seed, self.epoch, stream))
        return Generator().manual_seed(int(sequence.generate_state(1, np.uint64)[0] >> 1))
