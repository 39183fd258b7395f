"""The mirrors of MNIST, and a download in torchvision's layout."""

import gzip
import shutil
from collections.abc import Collection
from pathlib import Path

from mnist_lightning.data.standard import FILES
from mnist_lightning.files.download import DownloadError, download, first_to_answer
from mnist_lightning.files.storage import atomic_path

MIRRORS = (
    # The first two are used by torchvision and TensorFlow. Every download is verified.
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://raw.githubusercontent.com/fgnt/mnist/master/",
)
PROBE_SECONDS = 3.0


def download_mnist(folder: Path, names: Collection[str]) -> None:
    """Download some of the four files of MNIST into a folder, compressed and uncompressed.

    All mirrors are asked at once whether they can be reached, so that a machine without a network
    gets its answer within ``PROBE_SECONDS``. The mirror that answers first is used first.

    Args:
        folder: Where to write the files; created if missing.
        names: Names of the uncompressed files to download.

    Raises:
        DownloadError: There is no network, or no mirror delivers a file.
        OSError: A file cannot be written uncompressed.
    """
    # The smallest first: 5 kB are enough to discover a network that does not work.
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
        # pooch.Decompress would leave a truncated file behind if the program is killed. The
        # compressed file is kept, as torchvision does: another process may be reading it.
        with (
            gzip.open(compressed) as source,
            atomic_path(folder / file.name) as temporary,
            temporary.open("wb") as target,
        ):
            shutil.copyfileobj(source, target)
