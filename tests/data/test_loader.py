from collections.abc import Iterable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mnist_lightning.data.augmentation import Augmentation, apply_warp
from mnist_lightning.data.digits import Digits
from mnist_lightning.data.loader import Batch, BatchLoader

AUGMENTATION = Augmentation(elastic=0.6)


def _numbered(n: int) -> Digits:
    """Digits whose label is their index, so that each can be identified."""
    images = torch.randint(0, 256, (n, 1, 28, 28), generator=torch.Generator().manual_seed(0))
    return Digits(images.to(torch.uint8), torch.arange(n))


def _numbers(batches: Iterable[Batch]) -> list[list[int]]:
    return [batch.labels.tolist() for batch in batches]


def _identical(first: Batch, second: Batch) -> bool:
    if first.warp is None or second.warp is None:
        return False
    assert first.warp.elastic is not None
    assert second.warp.elastic is not None
    return (
        torch.equal(first.images, second.images)
        and torch.equal(first.labels, second.labels)
        and torch.equal(first.warp.affine, second.warp.affine)
        and torch.equal(first.warp.elastic, second.warp.elastic)
    )


@settings(deadline=None, max_examples=100)
@given(
    n=st.integers(3, 200),
    batch_size=st.integers(2, 50),
    world_size=st.integers(1, 3),
    shuffled=st.booleans(),
)
def test_every_image_is_seen_exactly_once_in_batches_of_almost_equal_size(
    n: int, batch_size: int, world_size: int, shuffled: bool
) -> None:
    digits, seed = _numbered(n), 5 if shuffled else None

    loaders = [
        BatchLoader(digits, batch_size, seed=seed, rank=rank, world_size=world_size)
        for rank in range(world_size)
    ]
    seen = [_numbers(loader) for loader in loaders]

    assert sorted(number for rank in seen for batch in rank for number in batch) == list(range(n))
    assert {len(rank) for rank in seen} == {len(loaders[0])}
    sizes = [len(batch) for rank in seen for batch in rank]
    assert max(sizes) - min(sizes) <= 1
    assert min(sizes) >= 1
    assert max(sizes) <= batch_size


def test_all_processes_have_the_same_number_of_steps_if_images_cannot_be_shared_evenly() -> None:
    # With three steps of one image each, the second of two processes would lack the last one.
    seen = [_numbers(BatchLoader(_numbered(5), 1, rank=rank, world_size=2)) for rank in (0, 1)]

    assert [len(rank) for rank in seen] == [2, 2]
    assert sorted(number for rank in seen for batch in rank for number in batch) == list(range(5))


def test_without_a_seed_images_come_in_order_and_undistorted() -> None:
    digits = _numbered(25)

    batches = list(BatchLoader(digits, 10))

    assert torch.equal(torch.cat([batch.images for batch in batches]), digits.images)
    assert torch.equal(torch.cat([batch.labels for batch in batches]), digits.labels)
    assert all(batch.warp is None for batch in batches)


def test_each_label_stays_with_its_image_when_shuffled() -> None:
    digits = _numbered(25)

    for batch in BatchLoader(digits, 10, seed=3):
        assert torch.equal(batch.images, digits.images[batch.labels])


@settings(deadline=None, max_examples=40)
@given(
    n=st.integers(2, 100),
    batch_size=st.integers(1, 40),
    seed=st.integers(0, 2**32 - 1),
    epoch=st.integers(0, 1000),
    data=st.data(),
)
def test_iterating_from_a_state_gives_the_tail_of_the_epoch_bit_for_bit(
    n: int, batch_size: int, seed: int, epoch: int, data: st.DataObject
) -> None:
    def loader() -> BatchLoader:
        made = BatchLoader(_numbered(n), batch_size, seed=seed, augmentation=AUGMENTATION)
        made.set_epoch(epoch)
        return made

    whole = list(loader())
    seen = data.draw(st.integers(0, len(whole) - 1))
    interrupted = loader()
    if seen:
        for step, _ in enumerate(interrupted, start=1):
            if step == seen:
                break
    resumed = loader()
    resumed.load_state_dict(interrupted.state_dict())
    torch.rand(3)  # other random numbers must not matter

    tail = list(resumed)

    assert len(tail) == len(whole) - seen
    assert all(map(_identical, tail, whole[seen:]))


def test_a_resumed_epoch_is_followed_by_complete_epochs() -> None:
    loader = BatchLoader(_numbered(20), 5, seed=0)
    loader.load_state_dict({"position": 3})

    assert len(list(loader)) == 1
    loader.set_epoch(1)
    assert len(list(loader)) == 4


def test_the_state_is_the_position_in_an_unfinished_epoch() -> None:
    loader = BatchLoader(_numbered(20), 5, seed=0)
    states = [loader.state_dict()]

    states += [loader.state_dict() for _ in loader]

    assert states == [{"position": position} for position in (0, 1, 2, 3, 0)]
    assert loader.state_dict() == {"position": 0}


def test_order_and_distortions_differ_between_seeds_and_between_epochs() -> None:
    def first_batch(seed: int, epoch: int) -> Batch:
        loader = BatchLoader(_numbered(100), 100, seed=seed, augmentation=AUGMENTATION)
        loader.sampler.set_epoch(epoch)
        return next(iter(loader))

    batches = [first_batch(seed, epoch) for seed, epoch in ((0, 0), (0, 1), (1, 0), (1, 1))]

    assert len({tuple(batch.labels.tolist()) for batch in batches}) == 4
    affine = torch.stack([batch.warp.affine for batch in batches if batch.warp])
    assert len(torch.unique(affine.flatten(1), dim=0)) == 4


def test_distortions_differ_between_the_steps_of_an_epoch() -> None:
    batches = list(BatchLoader(_numbered(40), 10, seed=0, augmentation=AUGMENTATION))

    affine = torch.stack([batch.warp.affine for batch in batches if batch.warp])
    assert len(torch.unique(affine.flatten(1), dim=0)) == 4


@pytest.mark.parametrize("world_size", [2, 3])
def test_the_distortion_of_an_image_does_not_depend_on_the_number_of_processes(
    world_size: int,
) -> None:
    def distorted(rank: int, world_size: int) -> dict[int, bytes]:
        loader = BatchLoader(
            _numbered(95),
            24 // world_size,
            seed=1,
            augmentation=AUGMENTATION,
            rank=rank,
            world_size=world_size,
        )
        found: dict[int, bytes] = {}
        for batch in loader:
            assert batch.warp is not None
            images = apply_warp(batch.images, batch.warp)
            found |= {
                int(number): image.numpy().tobytes()
                for number, image in zip(batch.labels, images, strict=True)
            }
        return found

    alone = distorted(0, 1)
    together = [distorted(rank, world_size) for rank in range(world_size)]

    assert {number: image for part in together for number, image in part.items()} == alone
    assert sum(map(len, together)) == len(alone) == 95


def test_fewer_images_than_processes_are_refused() -> None:
    with pytest.raises(ValueError, match="2 images cannot be shared by 3 processes"):
        BatchLoader(_numbered(2), 1, world_size=3)
