"""Folders in which MNIST is not found, although there is something like it."""

import gzip
import logging
import shutil
from pathlib import Path

import numpy as np
import pytest

from mnist_lightning.data import mirrors, nearby
from mnist_lightning.data.nearby import describe_nearby, find_nearby
from mnist_lightning.data.sources import is_dataset, load_dataset
from mnist_lightning.errors import DataError

RAW = Path("MNIST", "raw")


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(mirrors, "MIRRORS", ("http://127.0.0.1:9/",))


def put(folder: Path, names: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"x")


def kaggle_csv(path: Path, n: int = 140) -> None:
    header = ",".join(["label", *(f"pixel{index}" for index in range(784))])
    values = np.random.default_rng(0).integers(0, 256, (n, 785))
    values[:, 0] = np.arange(n) % 10
    np.savetxt(path, values, fmt="%d", delimiter=",", header=header, comments="")


@pytest.mark.parametrize(
    ("folder", "renamed"),
    [
        (".", lambda name: name.replace("-idx", ".idx")),
        (RAW, lambda name: name.replace("-idx", ".idx")),
        (".", str.upper),
        (".", lambda name: name.replace("-idx", ".IDX")),
    ],
)
@pytest.mark.parametrize("compress", [True, False])
def test_idx_files_are_read_under_their_other_names(
    folder: Path, renamed: object, compress: bool, idx_files: dict[str, bytes], tmp_path: Path
) -> None:
    assert callable(renamed)
    (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    for name, content in idx_files.items():
        target = tmp_path / folder / (renamed(name) + (".gz" if compress else ""))
        target.write_bytes(gzip.compress(content) if compress else content)
    assert is_dataset(tmp_path)
    assert load_dataset(tmp_path, "mnist", download=False).name == "custom IDX files"


def test_standard_name_is_preferred_and_a_folder_of_that_name_is_not_a_file(
    idx_files: dict[str, bytes], tmp_path: Path
) -> None:
    # Kaggle's archive contains each file twice, once in a folder that is named like it.
    for name, content in idx_files.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / name).write_bytes(b"damaged")
        (tmp_path / name.replace("-idx", ".idx")).write_bytes(content)
    assert load_dataset(tmp_path, "mnist", download=False).name == "custom IDX files"
    for name, content in idx_files.items():
        shutil.rmtree(tmp_path / name)
        (tmp_path / name).write_bytes(content)
        (tmp_path / name.replace("-idx", ".idx")).write_bytes(b"damaged")
    assert load_dataset(tmp_path, "mnist", download=False).name == "custom IDX files"


def test_table_of_kaggle_is_read_and_not_taken_for_mnist(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kaggle_csv(tmp_path / "train.csv")
    assert is_dataset(tmp_path)
    dataset = load_dataset(tmp_path, download=True)
    assert (dataset.name, dataset.is_standard) == ("Kaggle train.csv", False)
    assert (len(dataset.train), len(dataset.test)) == (120, 20)
    no_labels, not_standard = caplog.messages
    assert "test.csv has no labels: 20 of the images in" in no_labels
    assert "not comparable" in no_labels
    assert "labelled 'Kaggle train.csv'" in not_standard


def test_table_of_something_else_is_passed_over_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "train.csv").write_text("PassengerId,Survived\n1,0\n")
    assert not is_dataset(tmp_path)
    assert load_dataset(tmp_path).name == "MNIST-5k"
    assert f"Near it: {tmp_path / 'train.csv'}." in caplog.text


STANDARD = [f"{part}-{kind}-ubyte" for part in ("train", "t10k") for kind in ("images-idx3",)]


@pytest.mark.parametrize("source", ["auto", "mnist"])
@pytest.mark.parametrize(
    ("asked", "folder", "names", "meant"),
    [
        ("MNIST", "MNIST/raw", STANDARD, "."),
        (".", "FashionMNIST/raw", STANDARD, "FashionMNIST/raw"),
        ("mnist", "MNIST/raw", STANDARD, "."),
        (".", "keras", ["mnist.npz"], "keras"),
        (".", "MNIST/processed", ["training.pt", "test.pt"], None),
        (".", "EMNIST/raw", ["emnist-digits-train-images-idx3-ubyte.gz"], None),
        (".", ".", ["mnist.pkl.gz"], None),
        (".", ".", ["mnist_train.csv"], None),
        (".", "down", ["digit-recognizer.zip", "MNIST.zip"], None),
        (".", "train-images-idx3-ubyte", ["train-images-idx3-ubyte"], "train-images-idx3-ubyte"),
    ],
)
def test_what_is_there_is_named(
    asked: str,
    folder: str,
    names: list[str],
    meant: str | None,
    source: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    put(tmp_path / folder, names)
    if source == "auto":
        assert load_dataset(tmp_path / asked).name == "MNIST-5k"
        message = caplog.messages[-1]
    else:
        with pytest.raises(DataError) as caught:
            load_dataset(tmp_path / asked, "mnist")
        message = str(caught.value)
    for name in names:
        assert str(tmp_path / folder / name) in message
    option = f"Did you mean the folder {tmp_path / meant}?" if meant else "Near it: "
    assert option in message
    assert ("Did you mean" in message) == (meant is not None)
    assert "elete" not in message
    assert "\n" not in message


def test_at_most_four_files_are_named(tmp_path: Path) -> None:
    put(tmp_path, [f"mnist{number}.csv" for number in range(7)])
    assert describe_nearby(tmp_path).count(".csv") == 4
    assert describe_nearby(tmp_path).endswith("mnist3.csv and 3 more.")


def test_nothing_near_is_no_sentence(tmp_path: Path) -> None:
    put(tmp_path / ".cache", ["mnist.npz"])
    put(tmp_path, ["notes.txt", "mnist_cnn.pt", "mnist_lightning-0.1.0.tar.gz"])
    assert describe_nearby(tmp_path) == ""
    assert describe_nearby(tmp_path / "none" / "at" / "all") == ""


def test_search_of_a_large_or_circular_tree_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / "a" / "b" / "c" / "d"
    put(deep, ["mnist.npz"])
    assert find_nearby(tmp_path) == []
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    put(tmp_path / "a", ["mnist.npz"])
    assert find_nearby(tmp_path) == [tmp_path / "a" / "mnist.npz"]
    monkeypatch.setattr(nearby, "MAX_ENTRIES", 50)
    put(tmp_path, [f"file{number}" for number in range(60)])
    assert find_nearby(tmp_path) == []


def test_process_that_may_not_download_does_not_repeat_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    put(tmp_path, ["mnist.pkl.gz"])
    caplog.set_level(logging.INFO, "mnist_lightning")
    load_dataset(tmp_path, download=False)
    assert [record.levelno for record in caplog.records] == [logging.INFO]
