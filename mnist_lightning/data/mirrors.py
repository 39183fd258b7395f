"""Download the standard MNIST and lay it out as torchvision does."""

import gzip
import hashlib
from collections.abc import Collection
from pathlib import Path

from mnist_lightning.data.standard import FILES, StandardFile
from mnist_lightning.errors import DataError
from mnist_lightning.files.download import DownloadError, download
from mnist_lightning.files.storage import atomic_path
from mnist_lightning.files.transfer import first_to_answer

MIRRORS = (
    # The first two are those of torchvision and TensorFlow; every byte is verified anyway.
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://raw.githubusercontent.com/fgnt/mnist/master/",
)
PROBE_SECONDS = 3.0


def download_mnist(folder: Path, names: Collection[str]) -> None:
    """Put some of the four files into a folder, uncompressed.

    All mirrors are asked at once whether they are there, so that a machine without a network
    learns it within ``PROBE_SECONDS``; after that, the one that answered first goes first.

    Args:
        folder: Where the files shall be; created if missing.
        names: Which of the files to get.

    Raises:
        DownloadError: There is no network, or no mirror delivers a file.
        DataError: A downloaded file does not decompress to the known content.
    """
    # The smallest first: what is wrong with a network is found out with 5 kB, not with 10 MB.
    wanted = sorted((file for file in FILES if file.name in names), key=lambda file: file.gz_bytes)
    probes = {f"{mirror}{file.name}.gz": mirror for file in wanted[:1] for mirror in MIRRORS}
    answering = first_to_answer(list(probes), PROBE_SECONDS)
    if answering is None:
        raise DownloadError(f"No mirror of MNIST answered within {PROBE_SECONDS:.0f} seconds.")
    mirrors = sorted(MIRRORS, key=lambda mirror: mirror != probes[answering])
    for file in wanted:
        compressed = download(
            [f"{mirror}{file.name}.gz" for mirror in mirrors],
            folder / f"{file.name}.gz",
            sha256=file.gz_sha256,
            max_bytes=file.gz_bytes,
        )
        _decompress(compressed, folder / file.name, file)
        compressed.unlink()


def _decompress(compressed: Path, destination: Path, file: StandardFile) -> None:
    digest = hashlib.sha256()
    with (
        gzip.open(compressed) as source,
        atomic_path(destination) as temporary,
        temporary.open("wb") as target,
    ):
        while block := source.read(1 << 20):
            digest.update(block)
            target.write(block)
        if digest.hexdigest() != file.sha256:
            raise DataError(
                f"{compressed} does not hold the standard {file.name}: expected SHA-256 "
                f"{file.sha256}, found {digest.hexdigest()}. Delete it and run again."
            )
