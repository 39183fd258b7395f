"""A disk cache for the features of a frozen backbone."""

import hashlib
import logging
import shutil
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from filelock import FileLock, Timeout
from torch import Tensor

from mnist_lightning.errors import OutputError, WeightsError
from mnist_lightning.models.feature_extraction import FeatureExtractor, Precision
from mnist_lightning.models.feature_store import FeatureStore
from mnist_lightning.models.resnet50 import FEATURES, ResNet50
from mnist_lightning.terminal.long_jobs import progress

log = logging.getLogger(__name__)

CHUNK_ROWS = 1024
"""Images between two writes: 4 MB of features, the most that an interrupted run loses."""


@dataclass(frozen=True)
class CacheKey:
    """Everything that the features depend on, identified by content.

    Attributes:
        weights: SHA-256 of the backbone's parameters, buffers and normalisation.
        image_size: Side in pixels to which the network enlarges the digits.
        precision: Arithmetic of the backbone.
        images: SHA-256 of the pixels. It covers the dataset, the split, the selection and order of
            the images and their distortion, so that no name has to be trusted.
    """

    weights: str
    image_size: int
    precision: Precision
    images: str

    @classmethod
    def of(cls, network: ResNet50, images: Tensor, precision: Precision) -> "CacheKey":
        """Build the key for a network's features of ``images``, uint8 ``(N, 1, 28, 28)``."""
        return cls(
            weights=backbone_hash(network),
            image_size=network.image_size,
            precision=precision,
            images=_tensor_hash(images),
        )

    @property
    def file_stem(self) -> str:
        """File name without suffix: ``resnet50-`` and 16 hexadecimal digits."""
        text = repr(sorted(asdict(self).items()))
        return f"resnet50-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def backbone_hash(network: ResNet50) -> str:
    """Hash everything in a network that its features depend on, except the image size.

    Args:
        network: The network; its head is ignored.

    Returns:
        SHA-256, 64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    tensors = {**network.backbone.state_dict(), "mean": network.mean, "std": network.std}
    for name, tensor in tensors.items():
        # The number of training batches has no influence on the output.
        if not name.endswith("num_batches_tracked"):
            digest.update(f"{name} {_tensor_hash(tensor)}\n".encode())
    return digest.hexdigest()


def cached_features(
    network: ResNet50,
    images: Tensor,
    *,
    folder: Path,
    precision: Precision,
    title: str,
    chunk_rows: int = CHUNK_ROWS,
) -> Tensor:
    """Return the backbone's features from the cache; compute and store those that are missing.

    An interrupted computation continues at the chunk where it stopped, damaged chunks are computed
    again, and a second run that needs the same features waits for the first. Features are stored
    in float16, whose 11 significant bits exceed the 8 of bfloat16.

    Args:
        network: The network whose backbone is used; it stays unchanged.
        images: uint8, ``(N, 1, 28, 28)``, 0 to 255, at least one.
        folder: Folder of the cache files; created if missing.
        precision: Arithmetic of the backbone.
        title: Name of the images in messages, e.g. ``MNIST training images``.
        chunk_rows: Images between two writes.

    Returns:
        float16, ``(N, 2048)``, memory-mapped copy-on-write.

    Raises:
        OutputError: The folder is not writable or the disk is too full.
        WeightsError: Features are not finite in half precision.
        ValueError: ``images`` is empty or ``precision`` is unknown.
    """
    if not len(images):
        raise ValueError("there are no images to compute features for")
    key = CacheKey.of(network, images, precision)
    store = FeatureStore(folder / key.file_stem, asdict(key), (len(images), FEATURES), chunk_rows)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder / f".{key.file_stem}.lock", title):
            missing = store.missing_chunks()
            if missing:
                _announce(store, missing, folder, title)
                extract = FeatureExtractor(network, precision)
                _fill(store, missing, extract, images, title)
            else:
                log.info("Features of %s are taken from %s.", title, store.data_path)
            return store.map()
    except OSError as error:
        raise OutputError(
            f"The feature cache in {folder} cannot be used: {error.strerror or error}. "
            "Choose another folder with --model.feature_cache_dir."
        ) from error


def _locked(path: Path, title: str) -> AbstractContextManager[object]:
    # The operating system releases the lock of a process that dies, so there are no stale locks.
    lock = FileLock(path)
    try:
        return lock.acquire(timeout=0)
    except Timeout:
        log.info("Another run is computing the features of %s: waiting for it.", title)
        return lock.acquire()


def _announce(store: FeatureStore, missing: list[int], folder: Path, title: str) -> None:
    rows, columns = store.shape
    needed = _row_count(store, missing) * columns * 2
    log.info("Caching %s x %s features: %s in %s", f"{rows:,}", f"{columns:,}", _mb(needed), folder)
    if needed < store.nbytes:
        log.info("%s of %s are already there.", _mb(store.nbytes - needed), _mb(store.nbytes))
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OutputError(
            f"{folder} has {_mb(free)} free, but the features of {title} need {_mb(needed)}. "
            "Free some space or choose another folder with --model.feature_cache_dir."
        )


def _fill(
    store: FeatureStore, missing: list[int], extract: FeatureExtractor, images: Tensor, title: str
) -> None:
    done = len(images) - _row_count(store, missing)
    with progress(f"Features of {title}", len(images), done, log) as advance:
        for chunk in missing:
            batches = []
            for features in extract(images[store.rows(chunk)]):
                batches.append(features.half())
                advance(len(features))
            rows = torch.cat(batches)
            if not bool(torch.isfinite(rows).all()):
                raise WeightsError(
                    f"The backbone's features of {title} are not finite in half precision: its "
                    "weights are not those of a trained ResNet50. Use others with --model.weights."
                )
            store.write(chunk, rows.numpy())


def _row_count(store: FeatureStore, chunks: list[int]) -> int:
    return sum(rows.stop - rows.start for rows in map(store.rows, chunks))


def _mb(size: int) -> str:
    return f"{size / 1e6:,.0f} MB" if size >= 1e6 else f"{size / 1e6:.2f} MB"


def _tensor_hash(tensor: Tensor) -> str:
    # Contiguous, because the memory format must not change the hash.
    content = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
    digest = hashlib.sha256(f"{tensor.dtype} {tuple(tensor.shape)} ".encode())
    digest.update(content.data)
    return digest.hexdigest()
