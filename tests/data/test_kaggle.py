"""Kaggle's train.csv: one image per row, its label first, and no test set."""

import io
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from mnist_lightning.data.kaggle import is_kaggle, read_kaggle
from mnist_lightning.errors import DataError

HEADER = ",".join(["label", *(f"pixel{index}" for index in range(784))])


def table(n: int, seed: int = 0) -> NDArray[np.int64]:
    """Labels and pixels of ``n`` images, equally many of each digit."""
    pixels = np.random.default_rng(seed).integers(0, 256, (n, 784))
    return np.column_stack([np.arange(n) % 10, pixels])


def as_csv(values: NDArray[np.int64]) -> str:
    rows = io.StringIO()
    np.savetxt(rows, values, fmt="%d", delimiter=",")
    return f"{HEADER}\n{rows.getvalue()}"


def write(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


def test_seventh_of_each_digit_is_the_test_set_in_every_run(tmp_path: Path) -> None:
    values = table(140)
    path = write(tmp_path / "train.csv", as_csv(values))
    (train, test), again = read_kaggle(path), read_kaggle(path)
    assert train.labels.bincount().tolist() == [12] * 10
    assert test.labels.bincount().tolist() == [2] * 10
    assert train.images.shape == (120, 1, 28, 28)
    assert train.images.dtype == test.images.dtype == torch.uint8
    assert train.labels.dtype == torch.int64
    assert torch.equal(again[1].images, test.images)
    read = {
        (int(label), image.numpy().tobytes())
        for part in (train, test)
        for label, image in zip(part.labels, part.images, strict=True)
    }
    assert read == {(int(row[0]), row[1:].astype(np.uint8).tobytes()) for row in values}


@pytest.mark.parametrize(
    "text",
    [
        HEADER + "\r\n",
        "\ufeff" + HEADER + "\n",
        ",".join(f'"{name}"' for name in HEADER.split(",")) + "\n",
    ],
    ids=["windows", "byte order mark", "quoted"],
)
def test_header_is_recognised_in_every_spelling(text: str, tmp_path: Path) -> None:
    assert is_kaggle(write(tmp_path / "train.csv", text))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "PassengerId,Survived,Pclass\n1,0,3\n",
        HEADER.removeprefix("label,") + "\n",
        HEADER + ",more\n",
        "\0" * 100_000,
    ],
    ids=["empty", "titanic", "unlabelled", "a column more", "zeros"],
)
def test_table_of_something_else_is_not_kaggles(text: str, tmp_path: Path) -> None:
    assert not is_kaggle(write(tmp_path / "train.csv", text))


def _changed(row: int, column: int, value: str) -> str:
    lines = as_csv(table(140)).splitlines()
    fields = lines[row].split(",")
    fields[column] = value
    return "\n".join([*lines[:row], ",".join(fields), *lines[row + 1 :]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (_changed(3, 5, "256"), "whole numbers from 0 to 255"),
        (_changed(3, 5, "-1"), "whole numbers from 0 to 255"),
        (_changed(3, 5, "0.5"), "whole numbers from 0 to 255"),
        (_changed(3, 5, ""), "whole numbers from 0 to 255"),
        (_changed(3, 5, "x"), "whole numbers from 0 to 255"),
        (_changed(1, 5, "1,2"), "(785 in a row|found 786)"),
        (_changed(9, 5, "1,2"), "785 in a row"),
        (_changed(1, 0, "10"), "labels in .* from 0 to 9, found 10 at index 0"),
        (as_csv(table(140))[:-200], "785 in a row"),
        (HEADER + "\n", "is damaged"),
        (as_csv(table(10)), "10 images in .* cannot be split"),
    ],
    # Older versions of pytest would put the whole tables into the names of the tests.
    ids=[
        "256",
        "-1",
        "0.5",
        "nothing",
        "a letter",
        "long first row",
        "long row",
        "label 10",
        "cut off",
        "no row",
        "ten rows",
    ],
)
def test_damaged_table_is_refused(text: str, message: str, tmp_path: Path) -> None:
    path = write(tmp_path / "train.csv", text)
    with pytest.raises(DataError, match=message) as caught:
        read_kaggle(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_values_are_never_in_memory_as_wide_integers_all_at_once(tmp_path: Path) -> None:
    values = table(12_000)
    path = write(tmp_path / "train.csv", as_csv(values))
    tracemalloc.start()
    read_kaggle(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < values.nbytes * 0.8
