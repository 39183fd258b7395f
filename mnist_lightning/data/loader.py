"""A loader that slices batches from tensors in memory, exactly reproducible and resumable.

A DataLoader over single images takes a hundred times as long as slicing a tensor, and cannot resume
in the middle of an epoch. Here order and distortions are a pure function of (seed, epoch, step), so
that the position in the epoch, which Lightning counts itself, is the whole state.
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from mnist_lightning.data.appearance import Look
from mnist_lightning.data.augmentation import Augmentation, Warp
from mnist_lightning.data.digits import Digits, Subset
from mnist_lightning.data.random_streams import stream_seed


class Batch(NamedTuple):
    """One batch.

    Attributes:
        images: uint8 ``(B, 1, 28, 28)``, not distorted yet, or precomputed values ``(B, ...)``.
        labels: int64 ``(B,)``.
        warp: The distortions to apply once the batch is on its device, or None.
        look: The appearance to apply after them, or None.
    """

    images: Tensor
    labels: Tensor
    warp: Warp | None
    look: Look | None = None


class BatchLoader:
    """Iterates over digits in batches; Lightning treats it like any other dataloader.

    The sizes of the batches differ by at most one: a last batch of a few images would disturb batch
    normalisation and the running averages. In a distributed run the processes together see every
    image exactly once per epoch, without padding.

    Args:
        digits: The images and labels, on the CPU or completely on a GPU.
        batch_size: Largest number of images in a batch of one process.
        seed: Seed of a new order in each epoch; None keeps the order of ``digits``.
        augmentation: Distribution of the distortions; requires a seed. None disables them.
        more_passes: Other versions of the same images; the epochs cycle through ``digits`` and
            these.
        rank: Index of this process.
        world_size: Number of processes.
    """

    #: Lightning reads it from every loader that has a sampler.
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
        """Select the order and the distortions of an epoch, counted from zero."""
        self.epoch = epoch

    def state_dict(self) -> dict[str, int]:
        """Return how many batches of an unfinished epoch have been yielded."""
        return {"position": self._position % len(self)}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Start the next iteration at the position in ``state``."""
        self._resume_at = state["position"]

    def __len__(self) -> int:
        steps = math.ceil(len(self.digits) / (self.batch_size * self.world_size))
        # The other processes would wait forever for one that has no image for a step.
        return min(steps, len(self.digits) // self.world_size)

    def __iter__(self) -> Iterator[Batch]:
        # A generator function reads the epoch when the first batch is requested: Lightning creates
        # the iterator before it sets the epoch.
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
        # Drawn for the batches of all processes, so that the distortion of an image does not depend
        # on their number.
        generator = self._generator(step + 1)
        warp = self.augmentation.draw(total, generator)
        look = self.augmentation.draw_look(total, generator)
        rows = slice(self.rank, None, self.world_size)
        return Batch(part.images, part.labels, warp.rows(rows), look and look.rows(rows))

    def _order(self) -> Tensor | None:
        if self.seed is None:
            return None
        order = torch.randperm(len(self.digits), generator=self._generator(0))
        return order.to(self.digits.device)

    def _generator(self, stream: int) -> Generator:
        """Return the generator of (seed, epoch, stream): 0 is the order, n is step n - 1."""
        assert self.seed is not None
        return Generator().manual_seed(stream_seed(self.seed, self.epoch, stream))
