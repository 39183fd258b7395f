import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mnist_lightning.errors import OutputError
from mnist_lightning.records import predictions as module
from mnist_lightning.records.predictions import (
    Predictions,
    SplitPredictions,
    read_predictions,
    write_predictions,
)


def split(n: int, seed: int) -> SplitPredictions:
    generator = torch.Generator().manual_seed(seed)
    return SplitPredictions.from_logits(
        torch.randn(n, 10, generator=generator) * 20,
        torch.randint(0, 10, (n,), generator=generator),
        torch.randperm(n, generator=generator),
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "custom_cnn_predictions.npz"
    write_predictions(path, Predictions(test=split(8, 0), validation=split(5, 1)))
    return path


def rewrite(path: Path, **changes: npt.NDArray[np.generic] | None) -> None:
    with np.load(path) as arrays:
        content = {**arrays, **changes}
    np.savez(path, **{key: array for key, array in content.items() if array is not None})


def test_predictions_survive_writing_and_reading(file: Path) -> None:
    read = read_predictions(file)
    for found, written in ((read.test, split(8, 0)), (read.validation, split(5, 1))):
        for name, array in vars(written).items():
            np.testing.assert_array_equal(getattr(found, name), array, strict=True)


def test_file_has_exactly_the_documented_arrays_and_is_the_only_one(file: Path) -> None:
    with np.load(file) as arrays:
        dtypes = {key: str(arrays[key].dtype) for key in arrays}
    assert dtypes == {
        "test_probabilities": "float32",
        "test_labels": "int64",
        "test_indices": "int64",
        "validation_probabilities": "float32",
        "validation_labels": "int64",
        "validation_indices": "int64",
    }
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_failed_write_keeps_the_old_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = file.read_bytes()

    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.np, "savez_compressed", full)
    with pytest.raises(OSError, match="No space"):
        write_predictions(file, Predictions(split(3, 0), split(3, 1)))
    assert file.read_bytes() == before
    assert len(list(file.parent.iterdir())) == 1


def test_missing_file_is_refused_with_the_command_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"no predictions .*a\.npz.*train\.py --model cnn"):
        read_predictions(tmp_path / "a.npz", preset="cnn")


def test_folder_in_its_place_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be read"):
        read_predictions(tmp_path)


PROBABILITIES = np.full((8, 10), 0.1, dtype=np.float32)
LABELS = np.zeros(8, dtype=np.int64)


@pytest.mark.parametrize(
    ("key", "array", "message"),
    [
        ("test_labels", None, "test_labels"),
        ("test_probabilities", PROBABILITIES.astype(np.float64), "float64.*instead of float32"),
        ("test_probabilities", PROBABILITIES[:, :9], r"\(8, 9\) instead of float32 \(8, 10\)"),
        ("test_probabilities", PROBABILITIES[:7], r"\(7, 10\) instead of float32 \(8, 10\)"),
        ("test_probabilities", PROBABILITIES * 2, "do not sum to 1"),
        ("test_probabilities", PROBABILITIES * np.nan, "not all within 0 and 1"),
        ("test_probabilities", np.tile(np.float32([2, -1] + [0] * 8), (8, 1)), "not all within"),
        ("test_labels", LABELS - 1, "labels are not all within 0 and 9"),
        ("test_labels", LABELS + 10, "labels are not all within 0 and 9"),
        ("test_labels", LABELS.astype(np.int32), "int32"),
        ("test_labels", np.int64(3), "test_"),
        ("test_labels", LABELS[:0], "test_"),
        ("test_indices", LABELS, "not distinct"),
        ("test_indices", np.arange(8) - 1, "not distinct"),
        ("test_indices", np.arange(9), r"\(9,\) instead of int64 \(8,\)"),
        ("validation_labels", np.full(5, 10), "validation_labels are not all"),
    ],
)
def test_wrong_array_is_refused_by_its_key(
    file: Path, key: str, array: npt.NDArray[np.generic] | None, message: str
) -> None:
    rewrite(file, **{key: array})
    with pytest.raises(OutputError, match=message):
        read_predictions(file)


@pytest.mark.parametrize("kept", [0, 1, 100, -1])
def test_truncated_file_is_refused(file: Path, kept: int) -> None:
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(OutputError, match=r"predictions\.npz is not valid: "):
        read_predictions(file)


def test_every_flipped_byte_is_refused_or_harmless(file: Path) -> None:
    original = file.read_bytes()
    refused = 0
    for position in range(0, len(original), 7):
        damaged = bytearray(original)
        damaged[position] ^= 0xFF
        file.write_bytes(damaged)
        try:
            read_predictions(file)
        except OutputError:
            refused += 1
    # The rest are time stamps and flags of the archive, which carry no data.
    assert refused > 0.6 * len(range(0, len(original), 7))


def test_pickled_object_is_refused_and_does_not_run(file: Path, tmp_path: Path) -> None:
    class Malicious:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "ran"),)

    array = np.empty(8, dtype=object)
    array[0] = Malicious()
    with np.load(file) as arrays:
        content = {**arrays, "test_labels": array}
    np.savez(file, **content)
    with pytest.raises(OutputError, match="allow_pickle"):
        read_predictions(file)
    with zipfile.ZipFile(file, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("test_labels.npy", pickle.dumps(Malicious()))
    with pytest.raises(OutputError):
        read_predictions(file)
    assert not (tmp_path / "ran").exists()


def test_archive_that_unpacks_to_too_much_is_refused_before_unpacking(file: Path) -> None:
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.npy", bytes(module.MAX_UNPACKED_BYTES))
    assert file.stat().st_size < 1_000_000
    with pytest.raises(OutputError, match="declares 50 MB of content"):
        read_predictions(file)


def test_absurd_shape_in_a_header_is_refused(file: Path) -> None:
    header = b"{'descr': '<i8', 'fortran_order': False, 'shape': (1000000000000000,), }\n"
    with np.load(file) as arrays:
        content = dict(arrays)
    del content["test_labels"]
    np.savez(file, **content)
    with zipfile.ZipFile(file, "a") as archive:
        length = len(header).to_bytes(2, "little")
        archive.writestr("test_labels.npy", b"\x93NUMPY\x01\x00" + length + header)
    with pytest.raises(OutputError, match=r"predictions\.npz is not valid: "):
        read_predictions(file)


@settings(
    deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_mutated_files_are_read_or_refused_in_one_line(data: st.DataObject, file: Path) -> None:
    content = bytearray(file.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    mutated = file.with_name("mutated.npz")
    mutated.write_bytes(content[: data.draw(st.integers(0, len(content)) | st.none())])
    try:
        read = read_predictions(mutated)
    except OutputError as error:
        message = str(error)
    else:
        assert read.test.probabilities.shape == (len(read.test.labels), 10)
        return
    assert message.isprintable()
