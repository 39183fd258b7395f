"""The sources of backbone weights: torchvision's files, a local file, or random initialisation."""

from dataclasses import dataclass
from pathlib import Path

import pooch
import torch
from torchvision.models import ResNet50_Weights

from mnist_lightning.errors import WeightsError
from mnist_lightning.files.download import DownloadError, download
from mnist_lightning.models.resnet50 import ResNet50
from mnist_lightning.models.weights_file import read_backbone, require_file
from mnist_lightning.records.weights_origin import RANDOM_WEIGHTS, WeightsOrigin, describe_weights

NO_WEIGHTS = "none"
"""The choice of random initialisation."""

MAX_DOWNLOAD_BYTES = 2**27
"""Torchvision's files of ResNet50 have 98 MB."""

TIMEOUT_SECONDS = 10.0
"""How long to wait for a silent server, see :func:`~mnist_lightning.files.download.download`."""


@dataclass(frozen=True)
class Pretrained:
    """A published file of weights.

    Attributes:
        label: Its name in tables and titles.
        url: Its address. As in all of torchvision's, the file name ends in the first digits of the
            SHA-256: ``resnet50-11ad3fa6.pth``.
    """

    label: str
    url: str

    @property
    def file_name(self) -> str:
        """The name of the file in the cache of torch hub."""
        return self.url.rpartition("/")[2]

    @property
    def sha256_prefix(self) -> str:
        """The first hexadecimal digits of the file's SHA-256."""
        return Path(self.file_name).stem.rpartition("-")[2]


PRETRAINED: dict[str, Pretrained] = {
    key: Pretrained(f"ImageNet ({member.name})", member.url)
    for key, member in (
        ("imagenet", ResNet50_Weights.IMAGENET1K_V2),
        ("imagenet_v1", ResNet50_Weights.IMAGENET1K_V1),
    )
}


def weights_label(choice: str) -> str:
    """Describe the initial weights of a backbone.

    Args:
        choice: A key of ``PRETRAINED``, ``none``, or a path.

    Returns:
        For example ``ImageNet (IMAGENET1K_V2)``, ``random initialisation`` or ``the file my.pth``.
    """
    if choice == NO_WEIGHTS:
        return RANDOM_WEIGHTS
    if choice in PRETRAINED:
        return PRETRAINED[choice].label
    return f"the file {Path(choice).name}"


def resolve_weights(choice: str) -> Path | None:
    """Return the file of weights, after downloading it to the cache of torch hub if necessary.

    To be called before data are loaded: without a file and a network it fails within seconds. It
    never replaces missing weights by random ones.

    Args:
        choice: A key of ``PRETRAINED``, ``none``, or the path of a file.

    Returns:
        The file, or None for ``none``.

    Raises:
        WeightsError: The file is missing and cannot be downloaded, or the SHA-256 of a cached file
            is not the one in its name.
    """
    if choice == NO_WEIGHTS:
        return None
    if choice in PRETRAINED:
        return _published_file(PRETRAINED[choice])
    path = Path(choice).expanduser()
    require_file(path, f"give a file, or one of {', '.join(PRETRAINED)} and {NO_WEIGHTS}")
    return path


def origin_of(choice: str, path: Path) -> WeightsOrigin:
    """Describe the file of a choice of weights; torchvision's files contain no title.

    Args:
        choice: A key of ``PRETRAINED``, or the path of a file.
        path: The file, as :func:`resolve_weights` returned it.

    Raises:
        WeightsError: The file cannot be read.
    """
    return describe_weights(path, weights_label(choice) if choice in PRETRAINED else None)


def load_backbone(network: ResNet50, path: Path) -> None:
    """Load a file of weights into the backbone; the head stays unchanged.

    A head in the file (``fc.*``) is ignored whatever its size: the head is always trained from
    random weights, and ten classes need not be the ten digits.

    Args:
        network: The network, modified in place; unchanged if an error is raised.
        path: A state dict with the names of torchvision or timm, ``.pth``, ``.pt`` or
            ``.safetensors``.

    Raises:
        WeightsError: The file is damaged, not a state dict, or does not fit the network.
    """
    with torch.device("meta"):
        complete = ResNet50().backbone.state_dict()
    weights = read_backbone(path, complete)
    # A network that ends at an earlier layer has fewer of them.
    own = network.backbone.state_dict()
    network.backbone.load_state_dict({name: weights[name] for name in own})


def _published_file(pretrained: Pretrained) -> Path:
    path = Path(torch.hub.get_dir()) / "checkpoints" / pretrained.file_name
    if path.exists():
        _check_cached(path, pretrained.sha256_prefix)
        return path
    try:
        return download(
            [pretrained.url],
            path,
            sha256=pretrained.sha256_prefix,
            max_bytes=MAX_DOWNLOAD_BYTES,
            timeout=TIMEOUT_SECONDS,
        )
    except DownloadError as error:
        raise WeightsError(
            f"{error} Or choose --model.weights PATH or --model resnet50_scratch."
        ) from error


def _check_cached(path: Path, expected: str) -> None:
    # torchvision checks a file only while downloading it, and loads a wrong one from the cache.
    require_file(path, "move it away and run again to download it")
    try:
        found = pooch.file_hash(str(path))[: len(expected)]
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror}.") from error
    if found != expected:
        raise WeightsError(
            f"{path} is damaged: its SHA-256 starts with {found}, not with {expected}. "
            "Move it away and run again to download it."
        )
