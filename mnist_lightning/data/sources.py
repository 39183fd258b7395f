"""The search for digits: in files, on the network, or in the embedded sample."""

import logging
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Literal, get_args

from mnist_lightning.data.digits import DigitDataset
from mnist_lightning.data.embedded import load_embedded
from mnist_lightning.data.idx import read_image_label_pair
from mnist_lightning.data.kaggle import NAME as KAGGLE_NAME
from mnist_lightning.data.kaggle import is_kaggle, read_kaggle
from mnist_lightning.data.mirrors import download_mnist
from mnist_lightning.data.nearby import describe_nearby, find_nearby
from mnist_lightning.data.npz import read_npz
from mnist_lightning.data.standard import FILES, difference, identify
from mnist_lightning.errors import DataError
from mnist_lightning.files.download import DestinationError, DownloadError

Source = Literal["auto", "mnist", "mnist5k"]

_RAW = Path("MNIST", "raw")  # torchvision's layout
_NPZ = "mnist.npz"
_CSV = "train.csv"

logger = logging.getLogger("mnist_lightning")
_Notify = Callable[[str], None]


def load_dataset(data_dir: Path, source: Source = "auto", *, download: bool = True) -> DigitDataset:
    """Load the digits from the first source that has them.

    The sources are, in this order: the four IDX files of MNIST, plain or else ``.gz``, in
    ``<data_dir>/MNIST/raw`` and then in ``data_dir``; ``<data_dir>/mnist.npz``; Kaggle's
    ``<data_dir>/train.csv``; a download of the missing files to ``<data_dir>/MNIST/raw``; and, for
    ``auto`` only, the embedded 5,000 images. A damaged file is an error, never a reason to try the
    next source. Valid files of other images, such as Fashion-MNIST, are accepted by ``auto`` and
    ``mnist``, with a warning and another name. If nothing is found, the message names files near
    the folder that look like digits, and the folder that was probably meant.

    Args:
        data_dir: The folder of the files. It may be missing: a download creates it.
        source: ``auto`` uses the first available source, ``mnist`` requires files or a download,
            ``mnist5k`` uses the embedded images.
        download: Whether to use the network. In a distributed run one process loads with True
            first, then the others with False. Warnings of the others repeat the first one's, so
            they are logged at level INFO.

    Raises:
        DataError: A file is damaged or unreadable, the folder cannot be used, or ``mnist`` is
            required and not available.
    """
    if source not in get_args(Source):
        raise DataError(f"Unknown data source {source!r}: use {', '.join(get_args(Source))}.")
    if source == "mnist5k":
        return load_embedded()
    notify = logger.warning if download else logger.info
    dataset, failure = None, "Downloading is off."
    try:
        _check_folder(data_dir)
        dataset = _from_files(data_dir, notify)
        if dataset is None and download:
            download_mnist(data_dir / _RAW, _missing(_find_idx(data_dir / _RAW)))
            dataset = _from_files(data_dir, notify)
    except DestinationError as error:
        raise DataError(str(error)) from error
    except DownloadError as error:
        failure = str(error)
    except OSError as error:
        raise DataError(
            f"The folder {data_dir} cannot be used: {error}. "
            "Fix its permissions, free space, or choose another --data.data_dir."
        ) from error
    if dataset is None:
        return _without_files(data_dir, source, failure, notify)
    if not dataset.is_standard:
        notify(
            f"The data in {data_dir} is valid, but it is not the standard MNIST: "
            f"{difference(dataset)}. Results are labelled {dataset.name!r}."
        )
    return dataset


def _check_folder(data_dir: Path) -> None:
    if data_dir.exists() and not data_dir.is_dir():
        raise DataError(f"{data_dir} is not a folder: choose one with --data.data_dir.")
    if data_dir.exists() and not os.access(data_dir, os.R_OK | os.X_OK):
        raise DataError(f"The folder {data_dir} cannot be read: fix its permissions.")


def _from_files(data_dir: Path, notify: _Notify) -> DigitDataset | None:
    for folder in (data_dir / _RAW, data_dir):
        found = _find_idx(folder)
        missing = _missing(found)
        if not missing:
            train_images, train_labels, test_images, test_labels = (found[f.name] for f in FILES)
            return identify(
                read_image_label_pair(train_images, train_labels),
                read_image_label_pair(test_images, test_labels),
                custom_name="custom IDX files",
            )
        if found:
            notify(f"{folder} lacks {', '.join(missing)} (or .gz): looking for MNIST elsewhere.")
    archive = data_dir / _NPZ
    if archive.exists():
        return identify(*read_npz(archive), custom_name="custom npz file")
    table = data_dir / _CSV
    if table.exists() and is_kaggle(table):
        train, test = read_kaggle(table)
        notify(
            f"Kaggle's test.csv has no labels: {len(test):,} of the images in {table} are the test "
            "set. Results on them are not comparable with those on MNIST's test images."
        )
        return identify(train, test, custom_name=KAGGLE_NAME)
    return None


def is_dataset(folder: Path) -> bool:
    """Return whether :func:`load_dataset` finds digits, or some of the files, in a folder."""
    named = (folder / _NPZ).exists() or any(map(_find_idx, (folder / _RAW, folder)))
    table = folder / _CSV
    return named or (table.exists() and is_kaggle(table))


def _find_idx(folder: Path) -> dict[str, Path]:
    """Map the names of those MNIST files that are in a folder to their paths.

    The case does not matter, and Kaggle's copies have a dot instead of the dash before ``idx``.
    """
    standard = {file.name for file in FILES}
    found: dict[str, list[tuple[bool, bool, Path]]] = {}
    for path in folder.iterdir() if folder.is_dir() else ():
        lower = path.name.lower()
        name = lower.removesuffix(".gz").replace(".idx", "-idx")
        # Some programs unpack a file into a folder of the same name.
        if name in standard and path.exists() and not path.is_dir():
            found.setdefault(name, []).append((lower != name, path.name != name, path))
    # The plain file with the standard name comes first.
    return {name: min(paths)[-1] for name, paths in found.items()}


def _missing(found: dict[str, Path]) -> list[str]:
    return [file.name for file in FILES if file.name not in found]


def _without_files(data_dir: Path, source: Source, failure: str, notify: _Notify) -> DigitDataset:
    names = ", ".join(f"{name}.gz" for name in _missing(_find_idx(data_dir / _RAW)))
    situation = f"The whole MNIST is not in {data_dir}. {failure}{_what_is_near(data_dir)}"
    advice = (
        f"copy {names} into {data_dir / _RAW}, or Keras' {_NPZ} or Kaggle's {_CSV} into {data_dir}"
    )
    if source == "mnist":
        raise DataError(f"{situation} Connect to a network, or {advice}.")
    dataset = load_embedded()
    notify(
        f"{situation} Continuing with {len(dataset.train):,} training and {len(dataset.test):,} "
        f"test images ({dataset.name}). For the whole MNIST, connect to a network, or {advice}."
    )
    return dataset


def _what_is_near(data_dir: Path) -> str:
    for path in find_nearby(data_dir):
        folder = path.parent
        root = folder.parent.parent if folder.parts[-2:] == _RAW.parts else folder
        with suppress(OSError, DataError):
            if root != data_dir and is_dataset(root):
                return f"{describe_nearby(data_dir)} Did you mean the folder {root}?"
    return describe_nearby(data_dir)
