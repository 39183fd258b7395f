import gzip
import hashlib
import logging
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from bad_servers import Server, running, wrong_bytes
from numpy.typing import NDArray

from mnist_lightning.data import mirrors, sources, standard
from mnist_lightning.data.digits import DigitDataset
from mnist_lightning.data.sources import load_dataset
from mnist_lightning.data.standard import StandardFile
from mnist_lightning.errors import DataError

Arrays = dict[str, NDArray[np.uint8]]
IdxFiles = dict[str, bytes]
ToIdx = Callable[[NDArray[np.uint8]], bytes]

# A machine without a network: nothing listens on port 9, and the name cannot exist.
NO_MIRRORS = ("http://127.0.0.1:9/", "http://name.invalid/")


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(mirrors, "MIRRORS", NO_MIRRORS)


@pytest.fixture
def mirror(idx_files: IdxFiles, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """The second of two mirrors, with the tiny files as if they were the standard."""
    with running() as server:
        known = []
        for name, content in idx_files.items():
            packed = server.files[f"/{name}.gz"] = gzip.compress(content, mtime=0)
            hashes = (hashlib.sha256(part).hexdigest() for part in (content, packed))
            known.append(StandardFile(name, *hashes, len(packed)))
        monkeypatch.setattr(mirrors, "MIRRORS", (NO_MIRRORS[0], server.url))
        monkeypatch.setattr(mirrors, "FILES", tuple(known))
        yield server


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


def put(folder: Path, files: IdxFiles, *, compress: bool = False) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        target = folder / (f"{name}.gz" if compress else name)
        target.write_bytes(gzip.compress(content) if compress else content)
    return folder


def save_npz(path: Path, arrays: Arrays) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **arrays)  # type: ignore[arg-type]


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    ours = [record for record in caplog.records if record.name == "mnist_lightning"]
    return [record.getMessage() for record in ours if record.levelno == logging.WARNING]


def assert_tiny(dataset: DigitDataset, arrays: Arrays) -> None:
    np.testing.assert_array_equal(dataset.train.images[:, 0].numpy(), arrays["x_train"])
    np.testing.assert_array_equal(dataset.train.labels.numpy(), arrays["y_train"])
    np.testing.assert_array_equal(dataset.test.images[:, 0].numpy(), arrays["x_test"])
    np.testing.assert_array_equal(dataset.test.labels.numpy(), arrays["y_test"])
    assert not dataset.is_standard


@pytest.mark.parametrize("source", ["auto", "mnist"])
@pytest.mark.parametrize("compress", [True, False])
@pytest.mark.parametrize("folder", ["MNIST/raw", "."])
def test_other_idx_files_are_found_and_labelled(
    folder: str,
    compress: bool,
    source: sources.Source,
    data_dir: Path,
    idx_files: IdxFiles,
    arrays: Arrays,
    caplog: pytest.LogCaptureFixture,
) -> None:
    put(data_dir / folder, idx_files, compress=compress)
    dataset = load_dataset(data_dir, source)
    assert_tiny(dataset, arrays)
    assert dataset.name == "custom IDX files"
    (warning,) = warnings_of(caplog)
    assert "not the standard MNIST" in warning
    assert "12 training and 10 test images" in warning


def test_other_npz_file_is_found_and_labelled(
    data_dir: Path, arrays: Arrays, caplog: pytest.LogCaptureFixture
) -> None:
    save_npz(data_dir / "mnist.npz", arrays)
    dataset = load_dataset(data_dir, "mnist")
    assert_tiny(dataset, arrays)
    assert dataset.name == "custom npz file"
    assert len(warnings_of(caplog)) == 1


def test_fingerprint_does_not_depend_on_the_format(
    data_dir: Path, idx_files: IdxFiles, arrays: Arrays
) -> None:
    put(data_dir / "plain", idx_files)
    put(data_dir / "compressed", idx_files, compress=True)
    save_npz(data_dir / "npz" / "mnist.npz", arrays)
    expected = hashlib.sha256(b"".join(array.tobytes() for array in arrays.values())).hexdigest()
    for folder in ("plain", "compressed", "npz"):
        assert load_dataset(data_dir / folder).fingerprint == expected


def test_raw_folder_takes_precedence_over_data_dir_and_idx_over_npz(
    data_dir: Path, idx_files: IdxFiles, arrays: Arrays, to_idx: ToIdx
) -> None:
    other = {**idx_files, "t10k-labels-idx1-ubyte": to_idx(arrays["y_test"][::-1].copy())}
    put(data_dir / "MNIST" / "raw", other)
    put(data_dir, idx_files)
    save_npz(data_dir / "mnist.npz", arrays)
    assert load_dataset(data_dir).test.labels.tolist() == list(range(9, -1, -1))
    for name in idx_files:
        (data_dir / "MNIST" / "raw" / name).unlink()
        (data_dir / name).unlink()
    assert load_dataset(data_dir).name == "custom npz file"


def test_plain_file_takes_precedence_over_the_compressed_one(
    data_dir: Path, idx_files: IdxFiles, arrays: Arrays
) -> None:
    put(data_dir, dict.fromkeys(idx_files, b"damaged"), compress=True)
    put(data_dir, idx_files)
    assert_tiny(load_dataset(data_dir), arrays)


@pytest.mark.parametrize("source", ["auto", "mnist"])
def test_damaged_file_is_never_skipped(
    source: sources.Source, data_dir: Path, idx_files: IdxFiles, arrays: Arrays
) -> None:
    put(data_dir / "MNIST" / "raw", {**idx_files, "t10k-images-idx3-ubyte": b""})
    put(data_dir, idx_files, compress=True)
    save_npz(data_dir / "mnist.npz", arrays)
    with pytest.raises(DataError, match=r"t10k-images-idx3-ubyte: .* found an empty file"):
        load_dataset(data_dir, source)
    (data_dir / "empty").mkdir()
    (data_dir / "empty" / "mnist.npz").write_bytes(b"")
    with pytest.raises(DataError, match=r"mnist\.npz is damaged"):
        load_dataset(data_dir / "empty", source)


def test_incomplete_set_is_reported_and_the_next_source_used(
    data_dir: Path, idx_files: IdxFiles, arrays: Arrays, caplog: pytest.LogCaptureFixture
) -> None:
    put(data_dir / "MNIST" / "raw", dict(list(idx_files.items())[:2]))
    save_npz(data_dir / "mnist.npz", arrays)
    assert_tiny(load_dataset(data_dir), arrays)
    warning = warnings_of(caplog)[0]
    assert str(data_dir / "MNIST" / "raw") in warning
    assert "lacks t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte" in warning


def test_download_has_the_layout_of_torchvision_and_is_done_once(
    mirror: Server, data_dir: Path, idx_files: IdxFiles, arrays: Arrays
) -> None:
    for _ in range(2):
        assert_tiny(load_dataset(data_dir, "mnist"), arrays)
    expected = idx_files | {name[1:]: content for name, content in mirror.files.items()}
    raw = data_dir / "MNIST" / "raw"
    assert {path.name: path.read_bytes() for path in raw.iterdir()} == expected
    assert sorted(mirror.asked) == sorted(mirror.files)


def test_only_missing_files_are_downloaded(
    mirror: Server, data_dir: Path, idx_files: IdxFiles, arrays: Arrays
) -> None:
    first, *others = idx_files
    put(data_dir / "MNIST" / "raw", {name: idx_files[name] for name in others})
    assert_tiny(load_dataset(data_dir, "mnist"), arrays)
    assert mirror.asked == [f"/{first}.gz"]


def test_download_can_be_disabled(mirror: Server, data_dir: Path) -> None:
    assert load_dataset(data_dir, download=False).name == "MNIST-5k"
    with pytest.raises(DataError, match="Downloading is off"):
        load_dataset(data_dir, "mnist", download=False)
    assert not data_dir.exists()
    assert mirror.asked == []


def test_mirror_with_wrong_bytes_is_an_error_or_the_embedded_images(
    mirror: Server, data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mirror.respond = wrong_bytes
    with pytest.raises(DataError, match=r"t10k-labels-idx1-ubyte\.gz could not .*wrong SHA-256"):
        load_dataset(data_dir, "mnist")
    assert load_dataset(data_dir).name == "MNIST-5k"
    (warning,) = warnings_of(caplog)
    assert "wrong SHA-256" in warning
    assert list((data_dir / "MNIST" / "raw").iterdir()) == []


def test_without_files_or_network_the_embedded_images_are_used_with_one_warning(
    data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    started = time.monotonic()
    dataset = load_dataset(data_dir)
    assert time.monotonic() - started < 30
    assert dataset.name == "MNIST-5k"
    (warning,) = warnings_of(caplog)
    assert "\n" not in warning
    for word in ("5k", "4,000", "1,000", "mnist.npz", "MNIST/raw", "train-images-idx3-ubyte.gz"):
        assert word in warning.replace("\\", "/")
    assert not data_dir.exists()


def test_process_that_may_not_download_does_not_repeat_the_warning(
    data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "mnist_lightning")
    load_dataset(data_dir, download=False)
    assert warnings_of(caplog) == []
    assert "Continuing with 4,000 training" in caplog.text


def test_silent_mirrors_are_given_up_in_bounded_time(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirrors, "PROBE_SECONDS", 0.5)
    started = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts connections, no more
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        monkeypatch.setattr(mirrors, "MIRRORS", (url, url, url))
        assert load_dataset(data_dir).name == "MNIST-5k"
    assert time.monotonic() - started < 30


def test_mnist_requires_the_whole_set(data_dir: Path) -> None:
    with pytest.raises(DataError) as caught:
        load_dataset(data_dir, "mnist")
    message = str(caught.value)
    for word in (str(data_dir), "No mirror", "train-images-idx3-ubyte.gz", "mnist.npz"):
        assert word in message


def test_small_set_needs_neither_files_nor_network(
    mirror: Server, data_dir: Path, idx_files: IdxFiles, caplog: pytest.LogCaptureFixture
) -> None:
    put(data_dir, dict.fromkeys(idx_files, b"damaged"))
    assert load_dataset(data_dir, "mnist5k").name == "MNIST-5k"
    assert warnings_of(caplog) == []
    assert mirror.asked == []


def test_unknown_source_is_named(data_dir: Path) -> None:
    with pytest.raises(DataError, match="'emnist': use auto, mnist, mnist5k"):
        load_dataset(data_dir, "emnist")  # type: ignore[arg-type]


def test_data_dir_that_is_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(DataError, match="data is not a folder"):
        load_dataset(tmp_path / "data")


def test_unreadable_data_dir_is_an_error(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data_dir.mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(DataError, match="data cannot be read: fix its permissions"):
        load_dataset(data_dir)


def test_unwritable_data_dir_is_an_error_if_there_is_a_network(
    mirror: Server, data_dir: Path
) -> None:
    data_dir.mkdir()
    (data_dir / "MNIST").write_text("a file where the folder should be")
    with pytest.raises(DataError, match=r"cannot be written: (Not a directory|File exists)"):
        load_dataset(data_dir)


def test_full_disk_while_decompressing_is_an_error(
    mirror: Server, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(source: object, target: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfileobj", no_space)
    with pytest.raises(DataError, match="No space left on device"):
        load_dataset(data_dir)
    assert not list((data_dir / "MNIST" / "raw").glob("*ubyte"))


@pytest.mark.mnist
def test_whole_mnist_is_recognised_in_every_format(
    mnist_dir: Path, data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plain = load_dataset(mnist_dir, "mnist", download=False)
    assert plain.is_standard
    assert plain.name == "MNIST"
    assert (len(plain.train), len(plain.test)) == (60_000, 10_000)
    data_dir.mkdir()
    save_npz(
        data_dir / "mnist.npz",
        {
            "x_train": plain.train.images[:, 0].numpy(),
            "y_train": plain.train.labels.to(torch.uint8).numpy(),
            "x_test": plain.test.images[:, 0].numpy(),
            "y_test": plain.test.labels.to(torch.uint8).numpy(),
        },
    )
    keras = load_dataset(data_dir, "mnist", download=False)
    assert keras.is_standard
    assert keras.fingerprint == plain.fingerprint == standard.FINGERPRINT
    assert torch.equal(keras.train.images, plain.train.images)
    assert torch.equal(keras.test.labels, plain.test.labels)
    assert caplog.records == []


@pytest.mark.mnist
def test_one_flipped_pixel_is_attributed_to_its_file(
    mnist_dir: Path, data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    raw = mnist_dir / "MNIST" / "raw"
    files = {file.name: (raw / file.name).read_bytes() for file in standard.FILES}
    for file in standard.FILES:
        assert hashlib.sha256(files[file.name]).hexdigest() == file.sha256
    changed = bytearray(files["t10k-images-idx3-ubyte"])
    changed[5_000] ^= 1
    put(data_dir, {**files, "t10k-images-idx3-ubyte": bytes(changed)})
    dataset = load_dataset(data_dir, "mnist")
    assert not dataset.is_standard
    (warning,) = warnings_of(caplog)
    assert "differs in t10k-images-idx3-ubyte." in warning
