import io
import pickle
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mnist_lightning.data.npz import read_npz
from mnist_lightning.errors import DataError

Arrays = dict[str, NDArray[np.uint8]]


def save(path: Path, arrays: dict[str, NDArray[np.generic]]) -> Path:
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]
    return path


def save_members(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def as_npy(array: NDArray[np.generic]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


@pytest.mark.parametrize("label_type", [np.uint8, np.int64, np.dtype(">i4")])
def test_archive_of_keras_becomes_digits(label_type: type, arrays: Arrays, tmp_path: Path) -> None:
    typed = {key: a.astype(label_type) if key[0] == "y" else a for key, a in arrays.items()}
    train, test = read_npz(save(tmp_path / "mnist.npz", {**typed, "extra": np.zeros(3)}))
    for digits, part in ((train, "train"), (test, "test")):
        assert digits.images.dtype == torch.uint8
        assert digits.labels.dtype == torch.int64
        np.testing.assert_array_equal(digits.images[:, 0].numpy(), arrays[f"x_{part}"])
        np.testing.assert_array_equal(digits.labels.numpy(), arrays[f"y_{part}"])


def test_column_major_arrays_are_the_same_digits(arrays: Arrays, tmp_path: Path) -> None:
    columns_first = {**arrays, "x_test": np.asfortranarray(arrays["x_test"])}
    _, test = read_npz(save(tmp_path / "mnist.npz", columns_first))
    np.testing.assert_array_equal(test.images[:, 0].numpy(), arrays["x_test"])


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("x_train", np.zeros((12, 784), np.uint8), r"found uint8 of shape \(12, 784\)"),
        ("x_train", np.zeros((12, 28, 28), np.float32), r"found float32 of shape \(12, 28, 28\)"),
        ("x_train", np.zeros((12, 28, 28), np.int16), r"found int16 of shape \(12, 28, 28\)"),
        ("x_test", np.zeros((9, 28, 28), np.uint8), "x_test in .* 9 images and y_test in .* 10"),
        ("y_test", np.full(10, 10), "y_test in .* from 0 to 9, found 10 at index 0"),
        ("y_test", np.arange(10) - 1, "found -1 at index 0"),
        ("y_test", np.full(10, 2**64 - 1, np.uint64), "found 18446744073709551615 at index 0"),
        ("y_test", np.zeros((10, 1), np.uint8), r"found uint8 of shape \(10, 1\)"),
        ("y_test", np.array(["3"] * 10), r"found <U1 of shape \(10,\)"),
    ],
)
def test_unfit_array_is_named_with_what_was_found(
    key: str, value: NDArray[np.generic], message: str, arrays: Arrays, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read_npz(save(tmp_path / "mnist.npz", {**arrays, key: value}))
    assert str(tmp_path / "mnist.npz") in str(caught.value)


def test_empty_arrays_are_refused(arrays: Arrays, tmp_path: Path) -> None:
    empty = {key: array[:0] for key, array in arrays.items()}
    with pytest.raises(DataError, match=r"0 images and .* 0 labels"):
        read_npz(save(tmp_path / "mnist.npz", empty))


def test_missing_array_is_named(arrays: Arrays, tmp_path: Path) -> None:
    without = {key: array for key, array in arrays.items() if key != "x_test"}
    with pytest.raises(DataError, match=r"mnist\.npz lacks the arrays x_test\."):
        read_npz(save(tmp_path / "mnist.npz", without))


class _Malicious:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return pytest.fail, ("the pickle was run",)


def test_pickled_objects_are_refused_and_not_run(arrays: Arrays, tmp_path: Path) -> None:
    preamble = as_npy(np.zeros(10, np.uint8))[:10]  # magic, version, 118 bytes of header to come
    declared = b"{'descr': '|O', 'fortran_order': False, 'shape': (10,), }".ljust(117) + b"\n"
    pickled = preamble + declared + pickle.dumps(_Malicious())
    members = {f"{key}.npy": as_npy(array) for key, array in arrays.items()}
    path = save_members(tmp_path / "mnist.npz", {**members, "y_test.npy": pickled})
    with pytest.raises(DataError, match=r"is damaged .*allow_pickle"):
        read_npz(path)


@pytest.mark.parametrize("content", [b"", b"PK", b"<html>Not here</html>", b"\x1f\x8b\x08"])
def test_file_that_is_not_an_archive_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "mnist.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"mnist\.npz is damaged .*Move it away"):
        read_npz(path)


def test_unreadable_archive_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"mnist\.npz cannot be read: No such file"):
        read_npz(tmp_path / "mnist.npz")
    with pytest.raises(DataError, match="cannot be read: Is a directory"):
        read_npz(tmp_path)


def test_flipped_bit_is_detected(arrays: Arrays, tmp_path: Path) -> None:
    path = tmp_path / "mnist.npz"
    np.savez(path, **arrays)  # uncompressed, so that only the checksum can detect it
    content = bytearray(path.read_bytes())
    content[content.index(arrays["x_train"].tobytes()) + 100] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"is damaged .*CRC"):
        read_npz(path)


@pytest.mark.parametrize("shape", ["(1000000000, 28, 28)", "(-12, -28, 28)", "(13, 28, 28)"])
def test_header_with_another_size_is_refused(shape: str, arrays: Arrays, tmp_path: Path) -> None:
    valid = as_npy(arrays["x_train"])
    lying = valid.replace(b"(12, 28, 28), }".ljust(40), f"{shape}, }}".encode().ljust(40), 1)
    assert lying != valid
    members = {f"{key}.npy": as_npy(array) for key, array in arrays.items()}
    path = save_members(tmp_path / "mnist.npz", {**members, "x_train.npy": lying})
    with pytest.raises(DataError, match="is damaged"):
        read_npz(path)


def test_bomb_is_refused_before_it_is_unpacked(arrays: Arrays, tmp_path: Path) -> None:
    bomb = np.zeros((200_000, 28, 28), np.uint8)
    path = save(tmp_path / "mnist.npz", {**arrays, "x_train": bomb})
    del bomb
    tracemalloc.start()
    with pytest.raises(DataError, match=r"mnist\.npz has 0\.2 MB and declares 157 MB"):
        read_npz(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5 << 20


def test_archive_that_understates_its_size_is_refused(arrays: Arrays, tmp_path: Path) -> None:
    path = save(tmp_path / "mnist.npz", {key: arrays[key] for key in reversed(arrays)})
    size = len(as_npy(arrays["x_train"]))
    understated = path.read_bytes().replace(struct.pack("<I", size), struct.pack("<I", 200))
    path.write_bytes(understated)
    with pytest.raises(DataError):
        read_npz(path)


@settings(deadline=None, max_examples=200)
@given(data=st.data())
def test_mutated_archives_are_read_or_refused(
    data: st.DataObject, arrays: Arrays, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "mutated.npz"
    small = {key: array[:1] for key, array in arrays.items()}
    (np.savez if data.draw(st.booleans()) else np.savez_compressed)(path, **small)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content))) :]
    path.write_bytes(content)
    assert_read_or_refused(path)


@settings(deadline=None, max_examples=100)
@given(header=st.binary(max_size=80) | st.text("{}()[],:'|descrfotanhp0128u<> _L", max_size=80))
def test_arbitrary_array_headers_are_read_or_refused(
    header: bytes | str, arrays: Arrays, tmp_path_factory: pytest.TempPathFactory
) -> None:
    encoded = header.encode() if isinstance(header, str) else header
    lying = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(encoded)) + encoded
    members = {f"{key}.npy": as_npy(array) for key, array in arrays.items()}
    path = tmp_path_factory.getbasetemp() / "arbitrary.npz"
    assert_read_or_refused(save_members(path, {**members, "x_train.npy": lying}))


def assert_read_or_refused(path: Path) -> None:
    try:
        train, test = read_npz(path)
    except DataError:
        return
    for digits in (train, test):
        assert digits.images.shape == (len(digits.labels), 1, 28, 28)
        assert 0 <= int(digits.labels.min()) <= int(digits.labels.max()) <= 9
