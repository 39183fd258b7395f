"""Find the digits: in files, on the network, or in the embedded sample."""

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal, get_args

from mnist_lightning.data.digits import DigitDataset
from mnist_lightning.data.embedded import load_embedded
from mnist_lightning.data.idx import read_image_label_pair
from mnist_lightning.data.mirrors import download_mnist
from mnist_lightning.data.npz import read_npz
from mnist_lightning.data.standard import FILES, difference, identify
from mnist_lightning.errors import DataError
from mnist_lightning.files.download import DestinationError, DownloadError

Source = Literal["auto", "mnist", "mnist5k"]

_RAW = Path("MNIST", "raw")  # torchvision's layout
_NPZ = "mnist.npz"

logger = logging.getLogger("mnist_lightning")
_Notify = Callable[[str], None]


def load_dataset(data_dir: Path, source: Source = "auto", *, download: bool = True) -> DigitDataset:
    """Load the digits from the first place that has them.

    Looked at in this order: the four IDX files of MNIST, plain or else ``.gz``, under
    ``<data_dir>/MNIST/raw``, then in ``data_dir``; ``<data_dir>/mnist.npz``; a download of what
    is missing into ``<data_dir>/MNIST/raw``; and, under ``auto`` only, the embedded 5,000 images.
    A file that is there is never passed over because it is damaged. Sound files of other images,
    such as Fashion-MNIST, are taken under ``auto`` and ``mnist`` alike, with a warning and under
    another name.

    Args:
        data_dir: The folder of the files. It may be missing: a download creates it.
        source: ``auto`` takes what there is; ``mnist`` insists on files or their download;
            ``mnist5k`` takes the embedded images without looking further.
        download: Whether to try the network. In a distributed run one process says yes first,
            then all others say no. What the user should know is logged as a warning by the one
            that may download, and at level INFO by the others, who would only repeat it.

    Raises:
        DataError: A file is damaged or unreadable, the folder cannot be used, or, under
            ``mnist``, the set is neither there nor to be had.
    """
    if source not in get_args(Source):
        raise DataError(f"Unknown data source {source!r}: use {', '.join(get_args(Source))}.")
    if source == "mnist5k":
        return load_embedded()
    notify = logger.warning if download else logger.info
    failure = "Downloading is off."
    try:
        _check_folder(data_dir)
        dataset = _from_files(data_dir, notify)
        if dataset is None and download:
            dataset, failure = _from_network(data_dir)
    except DestinationError as error:
        raise DataError(str(error)) from error
    except OSError as error:
        raise DataError(
            f"The folder {data_dir} cannot be used: {error}. "
            "Mend its permissions, free space, or give another as --data.data_dir."
        ) from error
    if dataset is None:
        return _without_files(data_dir, source, failure, notify)
    if not dataset.is_standard:
        notify(
            f"The data in {data_dir} is sound, but this is not the standard MNIST: "
            f"{difference(dataset)}. Results carry the name {dataset.name!r}."
        )
    return dataset


def _check_folder(data_dir: Path) -> None:
    if not data_dir.exists():
        return
    if not data_dir.is_dir():
        raise DataError(f"{data_dir} is not a folder: give one as --data.data_dir.")
    if not os.access(data_dir, os.R_OK | os.X_OK):
        raise DataError(f"The folder {data_dir} cannot be read: mend its permissions.")


def _from_files(data_dir: Path, notify: _Notify) -> DigitDataset | None:
    for folder in (data_dir / _RAW, data_dir):
        found = _find_idx(folder)
        missing = _missing(found)
        if not missing:
            return _read_idx_files(found)
        if found:
            notify(f"{folder} lacks {', '.join(missing)} (or .gz): looking for MNIST elsewhere.")
    archive = data_dir / _NPZ
    if archive.exists():
        return identify(*read_npz(archive), custom_name="custom npz file")
    return None


def _from_network(data_dir: Path) -> tuple[DigitDataset | None, str]:
    """Return the dataset, or why the network does not give it."""
    folder = data_dir / _RAW
    try:
        download_mnist(folder, _missing(_find_idx(folder)))
    except DestinationError:
        raise
    except DownloadError as error:
        return None, str(error)
    return _read_idx_files(_find_idx(folder)), ""


def _find_idx(folder: Path) -> dict[str, Path]:
    """Map the names of the MNIST files that are in a folder to their paths."""
    # A plain file comes last here, and so wins over its compressed one.
    return {
        file.name: folder / f"{file.name}{suffix}"
        for file in FILES
        for suffix in (".gz", "")
        if (folder / f"{file.name}{suffix}").exists()
    }


def _missing(found: dict[str, Path]) -> list[str]:
    return [file.name for file in FILES if file.name not in found]


def _read_idx_files(paths: dict[str, Path]) -> DigitDataset:
    train_images, train_labels, test_images, test_labels = (paths[file.name] for file in FILES)
    return identify(
        read_image_label_pair(train_images, train_labels),
        read_image_label_pair(test_images, test_labels),
        custom_name="custom IDX files",
    )


def _without_files(data_dir: Path, source: Source, failure: str, notify: _Notify) -> DigitDataset:
    names = ", ".join(f"{name}.gz" for name in _missing(_find_idx(data_dir / _RAW)))
    situation = f"The whole MNIST is not in {data_dir}. {failure}"
    advice = f"put {names} into {data_dir / _RAW}, or Keras' {_NPZ} into {data_dir}"
    if source == "mnist":
        raise DataError(f"{situation} Connect to a network, or {advice}.")
    dataset = load_embedded()
    notify(
        f"{situation} Going on with {len(dataset.train):,} training and {len(dataset.test):,} "
        f"test images of it ({dataset.name}); for the whole set connect to a network, or {advice}."
    )
    return dataset
