"""Archives of PyTorch, judged by their tables of contents before anything is unpacked."""

import zipfile
from pathlib import Path

from mnist_lightning.errors import UserError

# Tensors are stored as they are, and only the few lines of code beside them are compressed: our
# files unpack to about their own size. Deflate can make a thousand times as much of a file.
_ALWAYS_ALLOWED_BYTES = 16 << 20
_MAX_RATIO = 4


def refuse_bomb(path: Path) -> None:
    """Refuse an archive that would unpack to far more than its own size.

    PyTorch believes the sizes that an archive states, and no reader gives out more than is stated.

    Args:
        path: A file that is going to be read. One that is missing or no archive is left to the
            reader to judge.

    Raises:
        UserError: It is a bomb, or its table of contents cannot be read.
    """
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
    except Exception as error:  # e.g. struct.error, NotImplementedError: no set is documented
        raise UserError(f"{path} is a damaged archive: take a sound copy of it.") from error
    size = path.stat().st_size
    if unpacked > max(_ALWAYS_ALLOWED_BYTES, _MAX_RATIO * size):
        raise UserError(
            f"{path} would unpack from {size / 1e6:,.1f} MB to {unpacked / 1e6:,.0f} MB, as no "
            "trained model does: take a copy from somebody you trust."
        )
