"""A disk cache for the features of a frozen backbone."""

import hashlib
import logging
from pathlib import Path

import torch
from torch import Tensor

from mnist_lightning.errors import OutputError, WeightsError
from mnist_lightning.files.storage import check_writable, one_writer
from mnist_lightning.models.feature_extraction import FeatureExtractor, Precision
from mnist_lightning.models.feature_store import FeatureStore
from mnist_lightning.models.resnet50 import ResNet50
from mnist_lightning.terminal.long_jobs import progress

log = logging.getLogger(__name__)

CHUNK_ROWS = 1024
"""Images between two writes: 4 MB of features, the most that an interrupted run loses."""

FOLDER_OPTION = "--model.feature_cache_dir"


def cache_key(network: ResNet50, images: Tensor, precision: Precision) -> dict[str, object]:
    """Identify everything that the features depend on by its content.

    Args:
        network: The network whose backbone is used.
        images: uint8, ``(N, 1, 28, 28)``. Their hash covers the dataset, the split, the selection
            and order of the images and their distortion, so that no name has to be trusted.
        precision: Arithmetic of the backbone.

    Returns:
        Strings and numbers by name, ready for JSON.
    """
    return {
        "weights": backbone_hash(network),
        "image_size": network.image_size,
        "contrast_normalisation": network.contrast.enabled,
        "precision": precision,
        "images": _tensor_hash(images),
    }


def file_stem(key: dict[str, object]) -> str:
    """Return a cache file's name without suffix: ``resnet50-`` and 16 hexadecimal digits."""
    return f"resnet50-{hashlib.sha256(repr(sorted(key.items())).encode()).hexdigest()[:16]}"


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
    network: ResNet50, images: Tensor, *, folder: Path, precision: Precision, title: str
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

    Returns:
        float16, ``(N, num_features)``, memory-mapped copy-on-write.

    Raises:
        OutputError: The folder is not writable or the disk is too full.
        WeightsError: Features are not finite in half precision.
    """
    key = cache_key(network, images, precision)
    stem = file_stem(key)
    store = FeatureStore(folder / stem, key, (len(images), network.num_features), CHUNK_ROWS)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with one_writer(folder, stem):
            missing = store.missing_chunks()
            if missing:
                _fill(store, missing, FeatureExtractor(network, precision), images, title)
            else:
                log.info("Features of %s are taken from %s.", title, store.data_path)
            return store.map()
    except OSError as error:
        raise OutputError(
            f"The feature cache in {folder} cannot be used: {error.strerror or error}. "
            f"Choose another folder with {FOLDER_OPTION}."
        ) from error


def _fill(
    store: FeatureStore, missing: list[int], extract: FeatureExtractor, images: Tensor, title: str
) -> None:
    folder = store.data_path.parent
    left = sum(len(images[store.rows(chunk)]) for chunk in missing)
    width = store.shape[1]
    size = left * width * 2
    amount = f"{left:,} x {width:,} features: {size / 1e6:,.2f} MB"
    log.info("Caching %s in %s", amount, folder)
    check_writable(folder, size, FOLDER_OPTION)
    with progress(f"Features of {title}", len(images), len(images) - left, log) as advance:
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


def _tensor_hash(tensor: Tensor) -> str:
    # Contiguous, because the memory format must not change the hash.
    content = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
    digest = hashlib.sha256(f"{tensor.dtype} {tuple(tensor.shape)} ".encode())
    digest.update(content.data)
    return digest.hexdigest()
