import gzip
import os
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mnist_lightning.data import idx
from mnist_lightning.data.digits import Digits
from mnist_lightning.data.idx import read_idx, read_image_label_pair
from mnist_lightning.errors import DataError

ToIdx = Callable[[NDArray[np.uint8]], bytes]
IMAGES = np.arange(2 * 28 * 28, dtype=np.uint32).astype(np.uint8).reshape(2, 28, 28)
LABELS = np.array([3, 9], dtype=np.uint8)


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
@pytest.mark.parametrize("name", ["digits", "digits.gz"])
def test_compression_is_recognised_by_the_content(
    compress: Callable[[bytes], bytes], name: str, to_idx: ToIdx, tmp_path: Path
) -> None:
    values = read_idx(write(tmp_path / name, compress(to_idx(IMAGES))), ndim=3)
    np.testing.assert_array_equal(values, IMAGES)
    assert values.dtype == np.uint8
    assert values.flags.writeable


def test_pair_has_the_documented_types(to_idx: ToIdx, tmp_path: Path) -> None:
    digits = read_image_label_pair(
        write(tmp_path / "images", to_idx(IMAGES)), write(tmp_path / "labels", to_idx(LABELS))
    )
    assert digits.images.shape == (2, 1, 28, 28)
    assert digits.images.dtype == torch.uint8
    assert digits.labels.dtype == torch.int64
    assert digits.labels.tolist() == [3, 9]
    np.testing.assert_array_equal(digits.images[:, 0].numpy(), IMAGES)


def test_images_are_in_memory_only_once(to_idx: ToIdx, tmp_path: Path) -> None:
    images = np.zeros((20_000, 28, 28), dtype=np.uint8)
    labels = write(tmp_path / "labels", to_idx(np.zeros(20_000, dtype=np.uint8)))
    for compress in (bytes, gzip.compress):
        path = write(tmp_path / "images", compress(to_idx(images)))
        tracemalloc.start()
        digits = read_image_label_pair(path, labels)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert len(digits) == 20_000
        assert peak < 1.3 * images.nbytes


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda valid: b"", "found an empty file"),
        (lambda valid: valid[:3], "found 0x000008"),
        (lambda valid: valid[:10], r"expected 3 dimensions above zero, found \(2,\)"),
        (lambda valid: valid[:4], "found none"),
        (lambda valid: valid[:-7], "expected 1,568 values after the header, found 1,561"),
        (lambda valid: valid + b"xy", "expected 1,568 values after the header, found more"),
        (lambda valid: b"<!DOCTYPE html>" + valid, "found 0x3c21444f"),
        (lambda valid: bytes([0, 0, 13, 3]) + valid[4:], "found 0x00000d03"),
        (lambda valid: bytes([0, 0, 8, 1]) + valid[4:], r"found 0x00000801 \(labels\)"),
        (lambda valid: valid[:4] + bytes(12) + valid[16:], r"found \(0, 0, 0\)"),
        (lambda valid: gzip.compress(valid)[:-200], "damaged gzip file"),
        (lambda valid: gzip.compress(valid) + b"more", "damaged gzip file"),
        (lambda valid: gzip.compress(valid)[:10], "damaged gzip file"),
        (lambda valid: gzip.compress(valid[:-7]), "after the header, found 1,561"),
        (lambda valid: gzip.compress(valid + b"x"), "after the header, found more"),
        (lambda valid: gzip.compress(valid) + gzip.compress(b"x"), "found more"),
    ],
)
def test_damaged_file_is_refused_with_what_was_expected_and_found(
    damage: Callable[[bytes], bytes], message: str, to_idx: ToIdx, tmp_path: Path
) -> None:
    path = write(tmp_path / "images", damage(to_idx(IMAGES)))
    with pytest.raises(DataError, match=message) as caught:
        read_idx(path, ndim=3)
    assert str(path) in str(caught.value)
    # The file may be the user's only copy.
    assert "elete" not in str(caught.value)
    assert "Move it away" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_flipped_bit_in_a_compressed_file_is_detected(to_idx: ToIdx, tmp_path: Path) -> None:
    # Level 0 stores the pixels uncompressed, so that only the checksum can detect it.
    content = bytearray(gzip.compress(to_idx(IMAGES), compresslevel=0))
    content[-100] ^= 1
    with pytest.raises(DataError, match="damaged gzip file"):
        read_idx(write(tmp_path / "images.gz", bytes(content)), ndim=3)


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_absurd_size_is_refused_before_memory_is_allocated(
    compress: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    header = struct.pack(">4I", 0x0803, 9_999_999, 28, 28)
    with pytest.raises(DataError, match=r"declares 7,840 MB"):
        read_idx(write(tmp_path / "images", compress(header)), ndim=3)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 10_000, 10_000), "sides from 8 to 512 pixels, found 10,000"),
        ((2_000_000, 1, 1), "sides from 8 to 512 pixels, found 1"),
        ((3, 28, 513), "found 513"),
        ((2**32 - 1, 2**32 - 1, 2**32 - 1), "found 4,294,967,295"),
        ((10_000_001, 28, 28), "10,000,001 values of 28 x 28 pixels are more than the 10,000,000"),
        ((40_000, 512, 512), "40,000 values of 512 x 512 pixels are more than the 10,000,000"),
        ((10_000_001,), "10,000,001 values are more than the 10,000,000 that are read"),
    ],
)
def test_implausible_shape_is_refused_before_it_is_read(
    shape: tuple[int, ...], message: str, tmp_path: Path
) -> None:
    ndim = len(shape)
    path = write(tmp_path / "images", struct.pack(f">{1 + ndim}I", 0x0800 | ndim, *shape))
    with pytest.raises(DataError, match=message):
        read_idx(path, ndim=ndim)


@pytest.mark.parametrize("shape", [(9, 8, 8), (1, 512, 512), (2, 28, 28)])
def test_plausible_shapes_are_read(shape: tuple[int, ...], to_idx: ToIdx, tmp_path: Path) -> None:
    path = write(tmp_path / "images", to_idx(np.ones(shape, dtype=np.uint8)))
    assert read_idx(path, ndim=3).shape == shape


def test_caller_may_read_less(to_idx: ToIdx, tmp_path: Path) -> None:
    path = write(tmp_path / "images", to_idx(np.ones((3, 28, 28), dtype=np.uint8)))
    assert len(read_idx(path, ndim=3, max_images=3)) == 3
    with pytest.raises(DataError, match="3 values of 28 x 28 pixels are more than the 2"):
        read_idx(path, ndim=3, max_images=2)


def test_decompression_stops_at_the_declared_size(to_idx: ToIdx, tmp_path: Path) -> None:
    bomb = write(tmp_path / "bomb.gz", gzip.compress(to_idx(IMAGES) + bytes(200 << 20), 1))
    tracemalloc.start()
    with pytest.raises(DataError, match="found more"):
        read_idx(bomb, ndim=3)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5 << 20


def test_bomb_of_the_declared_size_is_refused(tmp_path: Path) -> None:
    header = struct.pack(">4I", 0x0803, 100_000, 28, 28)
    bomb = write(tmp_path / "bomb.gz", gzip.compress(header + bytes(78_400_000), 1))
    with pytest.raises(DataError, match="declares 78 MB"):
        read_idx(bomb, ndim=3)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nothing cannot be read: No such file"):
        read_idx(tmp_path / "nothing", ndim=3)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_folder_and_pipe_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, message in ((tmp_path, "Is a directory"), (tmp_path / "pipe", "is a named pipe")):
        with pytest.raises(DataError, match=message):
            read_idx(path, ndim=3)


def test_unreadable_file_is_named(
    to_idx: ToIdx, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, mode: str) -> None:
        raise PermissionError(13, "Permission denied")

    path = write(tmp_path / "images", to_idx(IMAGES))
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(DataError, match=r"images cannot be read: Permission denied"):
        read_idx(path, ndim=3)


def test_file_larger_than_the_memory_is_named(
    to_idx: ToIdx, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise MemoryError

    path = write(tmp_path / "images", to_idx(IMAGES))
    monkeypatch.setattr(idx.np, "empty", refuse)
    with pytest.raises(DataError, match="images does not fit into memory"):
        read_idx(path, ndim=3)


def test_swapped_files_are_reported_as_such(to_idx: ToIdx, tmp_path: Path) -> None:
    images = write(tmp_path / "labels", to_idx(IMAGES))
    labels = write(tmp_path / "images", to_idx(LABELS))
    with pytest.raises(DataError, match=r"images: expected .*\(images\), found .*\(labels\)"):
        read_image_label_pair(labels, images)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (IMAGES, LABELS[:1], "2 images and .*labels 1 labels"),
        (
            IMAGES,
            np.array([3, 10], dtype=np.uint8),
            "labels: expected .* 0 to 9, found 10 at index 1",
        ),
        (IMAGES[:, :27], LABELS, r"images: expected .* found uint8 of shape \(2, 27, 28\)"),
        (IMAGES, np.zeros(0, dtype=np.uint8), "labels: expected 1 dimensions above zero"),
    ],
)
def test_pair_that_does_not_fit_is_refused(
    images: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    message: str,
    to_idx: ToIdx,
    tmp_path: Path,
) -> None:
    with pytest.raises(DataError, match=message):
        read_image_label_pair(
            write(tmp_path / "images", to_idx(images)), write(tmp_path / "labels", to_idx(labels))
        )


@settings(deadline=None, max_examples=150)
@given(data=st.data())
def test_mutated_files_are_read_or_refused(
    data: st.DataObject, to_idx: ToIdx, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp()
    valid = to_idx(IMAGES)
    content = bytearray(data.draw(st.sampled_from([valid, gzip.compress(valid, mtime=0)])))
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, min(len(content) - 1, 40)))
        content[position] = data.draw(st.integers(0, 255))
    del content[data.draw(st.integers(30, len(content))) :]
    images = write(folder / "mutated-images", bytes(content))
    labels = write(folder / "valid-labels", to_idx(LABELS))
    assert_read_or_refused(images, labels)


@settings(deadline=None, max_examples=100)
@given(
    content=st.binary(max_size=64),
    prefix=st.sampled_from([b"", b"\0\0\x08\1", b"\0\0\x08\3", b"\x1f\x8b", b"\x1f\x8b\x08"]),
)
def test_arbitrary_bytes_are_read_or_refused(
    content: bytes, prefix: bytes, to_idx: ToIdx, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp()
    images = write(folder / "valid-images", to_idx(IMAGES))
    assert_read_or_refused(images, write(folder / "arbitrary-labels", prefix + content))


def assert_read_or_refused(images: Path, labels: Path) -> None:
    try:
        digits = read_image_label_pair(images, labels)
    except DataError:
        return
    assert isinstance(digits, Digits)
    assert digits.images.shape == (len(digits.labels), 1, 28, 28)
    assert 0 <= int(digits.labels.min()) <= int(digits.labels.max()) <= 9
