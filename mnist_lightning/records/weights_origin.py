"""What a file of pretrained weights says about itself: title, source, licence, and its hash."""

import re
from dataclasses import dataclass
from pathlib import Path

import safetensors

from mnist_lightning.errors import WeightsError
from mnist_lightning.files.identity import describe_file
from mnist_lightning.terminal.streams import one_line

MAX_LENGTH = 300
"""Longer texts of a file's metadata are cut: they are untrusted, and tables show them."""

#: What a record says of a training without pretrained weights.
RANDOM_WEIGHTS = "random initialisation"
_NON_COMMERCIAL = re.compile(r"non.?commercial|\bnc\b", re.IGNORECASE)


@dataclass(frozen=True)
class WeightsOrigin:
    """The file of weights that a training started from.

    Attributes:
        title: The name that the file gives its weights; ``the file NAME`` if it gives none.
        source: Where the weights come from, as the file says; null if it does not.
        license: Their licence, as the file says; null if it does not.
        sha256: SHA-256 of the file, 64 hexadecimal digits.
    """

    title: str
    source: str | None
    license: str | None
    sha256: str

    @property
    def label(self) -> str:
        """The title, with the licence if that forbids commercial use."""
        if self.license and _NON_COMMERCIAL.search(self.license):
            return f"{self.title}, licence: {self.license}"
        return self.title


def describe_weights(path: Path, title: str | None = None) -> WeightsOrigin:
    """Read the metadata of a file of weights and hash it.

    Args:
        path: An existing ``.safetensors`` file, whose metadata may have ``title``, ``source`` and
            ``license``, or a file of another format, which has none.
        title: The name of the weights if it is known; else the one in the metadata is taken.

    Returns:
        The description. Texts are on one line, without control characters, and cut to 300
        characters.

    Raises:
        WeightsError: The file cannot be read, or is not a safetensors file despite its name.
    """
    said: dict[str, str] = {}
    try:
        if path.suffix == ".safetensors":
            with safetensors.safe_open(path, framework="pt") as file:
                said = file.metadata() or {}
        sha256 = describe_file(path).sha256
    except Exception as error:  # the library does not document its errors for damaged files
        raise WeightsError(f"{path} is truncated, damaged or cannot be read: {error}.") from error
    found = {name: _clean(said.get(name, "")) for name in ("title", "source", "license")}
    return WeightsOrigin(
        title=title or found["title"] or f"the file {path.name}",
        source=found["source"] or None,
        license=found["license"] or None,
        sha256=sha256,
    )


def _clean(text: str) -> str:
    # Cut first: escaping makes text longer, and the metadata may have megabytes.
    line = one_line(" ".join(text[: 10 * MAX_LENGTH].split()))
    return line if len(line) <= MAX_LENGTH else f"{line[: MAX_LENGTH - 3]}..."
