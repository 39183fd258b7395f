"""Where the weights of a backbone come from: torchvision's files, the user's, or nowhere."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
from torchvision.models import ResNet50_Weights

from mnist_lightning.errors import WeightsError
from mnist_lightning.files.download import DownloadError, download
from mnist_lightning.models.resnet50 import IMAGENET_MEAN, IMAGENET_STD, ResNet50
from mnist_lightning.models.weights_file import MAX_BYTES, read_backbone, require_file

NO_WEIGHTS = "none"
"""The choice of a backbone that knows nothing."""


@dataclass(frozen=True)
class Pretrained:
    """A published file of weights.

    Attributes:
        label: What to call it in tables and titles.
        url: Where it lies. The file name ends in the first digits of its SHA-256, as all of
            torchvision's do: ``resnet50-11ad3fa6.pth``.
        mean: Mean of the red, green and blue values (in 0..1) it was trained with.
        std: Standard deviation of the same values.
    """

    label: str
    url: str
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def from_torchvision(cls, weights: ResNet50_Weights) -> "Pretrained":
        """Read URL and normalisation off an entry of torchvision's enumeration."""
        preset = weights.transforms()
        return cls(f"ImageNet ({weights.name})", weights.url, tuple(preset.mean), tuple(preset.std))

    @property
    def file_name(self) -> str:
        """Name of the file in the cache of torch hub."""
        return self.url.rpartition("/")[2]

    @property
    def sha256_prefix(self) -> str:
        """The first hexadecimal digits of the file's SHA-256."""
        return Path(self.file_name).stem.rpartition("-")[2]


PRETRAINED: dict[str, Pretrained] = {
    "imagenet": Pretrained.from_torchvision(ResNet50_Weights.IMAGENET1K_V2),
    "imagenet_v1": Pretrained.from_torchvision(ResNet50_Weights.IMAGENET1K_V1),
}


def weights_label(choice: str) -> str:
    """Say in words what a backbone starts from.

    Args:
        choice: A key of ``PRETRAINED``, ``none``, or a path.

    Returns:
        For example ``ImageNet (IMAGENET1K_V2)``, ``random initialisation`` or ``the file my.pth``.
    """
    if choice == NO_WEIGHTS:
        return "random initialisation"
    if choice in PRETRAINED:
        return PRETRAINED[choice].label
    return f"the file {Path(choice).name}"


def normalisation(choice: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Give the normalisation that belongs to weights.

    Args:
        choice: A key of ``PRETRAINED``, ``none``, or a path. The last two take ImageNet's, with
            which nearly all published weights were trained.

    Returns:
        Mean and standard deviation of the red, green and blue values in 0..1.
    """
    pretrained = PRETRAINED.get(choice)
    if pretrained is None:
        return IMAGENET_MEAN, IMAGENET_STD
    return pretrained.mean, pretrained.std


def resolve_weights(choice: str, *, timeout: float = 5.0) -> Path | None:
    """Find the file of weights, downloading it into the cache of torch hub where it is missing.

    Meant to be called before any data are touched: it takes seconds to say that there is neither
    a file nor a network. It never replaces missing weights by random ones.

    Args:
        choice: A key of ``PRETRAINED``, ``none``, or the path of a file.
        timeout: Seconds to wait for an answer of the server.

    Returns:
        The file, or None for ``none``.

    Raises:
        WeightsError: The file is missing and cannot be downloaded, or a file from the cache has
            not the SHA-256 that its name claims.
    """
    if choice == NO_WEIGHTS:
        return None
    if choice in PRETRAINED:
        return _published_file(PRETRAINED[choice], timeout)
    path = Path(choice).expanduser()
    require_file(path, f"give a file, or one of {', '.join(PRETRAINED)} and {NO_WEIGHTS}")
    return path


def load_backbone(network: ResNet50, path: Path) -> None:
    """Load a file of weights into the backbone; the head keeps what it has.

    A head in the file (``fc.*``) is ignored whatever its size: it is the part that is trained
    anew, and one of ten classes need not mean ten digits.

    Args:
        network: Takes the weights over, in place. Unchanged if an error is raised.
        path: A state dict of torchvision's or timm's naming, ``.pth``, ``.pt`` or
            ``.safetensors``.

    Raises:
        WeightsError: The file is damaged, not what it claims to be, or does not fit.
    """
    network.backbone.load_state_dict(read_backbone(path, network.backbone.state_dict()))


def _published_file(pretrained: Pretrained, timeout: float) -> Path:
    path = Path(torch.hub.get_dir()) / "checkpoints" / pretrained.file_name
    if path.exists():
        _check_cached(path, pretrained.sha256_prefix)
        return path
    try:
        return download(
            [pretrained.url],
            path,
            sha256=pretrained.sha256_prefix,
            timeout=timeout,
            max_bytes=MAX_BYTES,
        )
    except DownloadError as error:
        # Its message has the URL and the path, because it says what to do about either.
        raise WeightsError(
            f"{error} Or choose --model.weights PATH or --model resnet50_scratch."
        ) from error


def _check_cached(path: Path, expected: str) -> None:
    # torchvision checks only while it downloads, so a wrong file would load silently ever after.
    require_file(path, "delete it and run again")
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            for block in iter(lambda: file.read(1 << 20), b""):
                digest.update(block)
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror}.") from error
    found = digest.hexdigest()[: len(expected)]
    if found != expected:
        raise WeightsError(
            f"{path} is damaged: its SHA-256 starts with {found}, not with {expected}. "
            "Delete it and run again."
        )
