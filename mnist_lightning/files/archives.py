"""The check for archive bombs, made before anything is unpacked."""

import zipfile
from pathlib import Path

from mnist_lightning.errors import UserError
from mnist_lightning.files.regular_file import check_regular


def refuse_bomb(
    path: Path,
    declared: int | None = None,
    *,
    ratio: float = 4,
    always_allowed: int = 16 << 20,
    error: type[UserError] = UserError,
) -> None:
    """Refuse a file that declares far more content than a file of its size can have.

    Readers allocate what a file declares, and return no more than that. Deflate packs up to a
    thousand bytes into one. The default limits are those of models: PyTorch stores tensors
    uncompressed and compresses only the code beside them.

    Args:
        path: The file to be read. A file that is missing is accepted, and so is one that is not a
            zip archive unless ``declared`` is given: their reader judges them.
        declared: Bytes of content that the file declares; None reads the sizes of all members
            from the table of contents of a zip archive.
        ratio: Allowed bytes of content for each byte of the file.
        always_allowed: Bytes of content that are allowed in a file of any size.
        error: Class of the exception.

    Raises:
        UserError: The file declares too much, its table of contents is damaged, or it is not a
            regular file; of the class ``error``.
    """
    try:
        size = check_regular(path, error=error).st_size
    except OSError:
        return
    if declared is None:
        if not zipfile.is_zipfile(path):
            return
        try:
            with zipfile.ZipFile(path) as archive:
                declared = sum(member.file_size for member in archive.infolist())
        except Exception as cause:  # e.g. struct.error, NotImplementedError: none is documented
            raise error(f"{path} is a damaged archive: use an intact copy of it.") from cause
    limit = max(always_allowed, ratio * size)
    if declared > limit:
        raise error(
            f"{path} has {size / 1e6:,.1f} MB and declares {declared / 1e6:,.0f} MB of content, "
            f"more than the {limit / 1e6:,.0f} MB that a file of its size can have: use a copy "
            "from a source you trust."
        )
