"""Untrusted zip archives: zip bombs are refused, members are checked and packed again."""

import io
import re
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


def read_members(path: Path, allowed: re.Pattern[str]) -> dict[str, bytes]:
    """Read a zip archive that has no members but those that are expected.

    Args:
        path: The archive.
        allowed: Pattern of the whole name of a member, without the folder that contains all of them
            in archives of PyTorch.

    Returns:
        The contents by these names, in their order.

    Raises:
        UserError: It is a bomb.
        ValueError: It has a member of another name, or two of the same.
        Exception: It is damaged; zipfile raises many kinds of errors.
    """
    refuse_bomb(path)
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        root = f"{names[0].partition('/')[0]}/" if names else ""
        if not all(name.startswith(root) for name in names):
            root = ""
        members: dict[str, bytes] = {}
        for name in names:
            inner = name.removeprefix(root)
            if not allowed.fullmatch(inner) or inner in members:
                raise ValueError(f"it contains {inner!r:.60}, which does not belong there")
            members[inner] = archive.read(name)
    return members


def pack_members(members: dict[str, bytes], root: str) -> io.BytesIO:
    """Write a zip archive that another reader finds the same members in as ours.

    Args:
        members: The contents by name; emptied, so that large ones are in memory only once.
        root: Name of the folder that contains them; empty for none.
    """
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name in list(members):
            archive.writestr(f"{root}/{name}" if root else name, members.pop(name))
    content.seek(0)
    return content
