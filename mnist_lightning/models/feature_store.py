"""A float16 matrix on disk, written in chunks of rows and mapped into memory when complete."""

import hashlib
import json
import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mnist_lightning.files.storage import atomic_path

log = logging.getLogger(__name__)


class FeatureStore:
    """A float16 matrix in two files: ``.bin`` holds the values, ``.json`` describes them.

    The description lists the SHA-256 of every chunk of rows. A chunk counts as written only if its
    bytes match, so that neither a crash between two writes nor a damaged disk goes unnoticed.

    Values are written with file I/O and not through a memory map, where a full disk kills the
    process instead of raising an error. Existing files are updated in place and never replaced,
    because another run may have them mapped; the same rows always give the same bytes.

    Args:
        stem: Path of both files without their suffixes, in an existing folder.
        identity: What the values are, ready for JSON. Files of another identity are overwritten.
        shape: Rows and columns.
        chunk_rows: Rows per write.
    """

    def __init__(
        self, stem: Path, identity: Mapping[str, Any], shape: tuple[int, int], chunk_rows: int
    ) -> None:
        self.data_path = stem.with_name(f"{stem.name}.bin")
        self.journal_path = stem.with_name(f"{stem.name}.json")
        self.shape = shape
        self.chunk_rows = chunk_rows
        self._row_bytes = 2 * shape[1]
        self._description = {
            "identity": dict(identity),
            "dtype": "float16",
            "byte_order": sys.byteorder,
            "shape": list(shape),
            "chunk_rows": chunk_rows,
        }
        self._checksums: list[str | None] = [None] * -(-shape[0] // chunk_rows)

    def missing_chunks(self) -> list[int]:
        """Read both files and return the chunks that are still to be written.

        Returns:
            Chunk numbers, ascending; empty if the matrix is complete.

        Raises:
            OSError: A file exists and cannot be read.
        """
        recorded = self._read_journal()
        self._checksums = [
            checksum if checksum and checksum == self._stored_checksum(chunk) else None
            for chunk, checksum in enumerate(recorded)
        ]
        if self._checksums != recorded:
            log.warning("%s is damaged: its damaged parts are computed again.", self.data_path)
        return [chunk for chunk, checksum in enumerate(self._checksums) if not checksum]

    def rows(self, chunk: int) -> slice:
        """Return the rows of a chunk."""
        return slice(chunk * self.chunk_rows, min((chunk + 1) * self.chunk_rows, self.shape[0]))

    def write(self, chunk: int, values: np.ndarray[Any, np.dtype[np.float16]]) -> None:
        """Write a chunk and record its checksum.

        Args:
            chunk: The chunk's number.
            values: float16, the rows ``rows(chunk)`` with all columns.

        Raises:
            OSError: The disk is full or the folder is not writable.
        """
        content = values.tobytes()
        self.data_path.touch()  # "r+b" does not create a file, "wb" truncates it, "ab" cannot seek
        with self.data_path.open("r+b") as file:
            file.seek(self.rows(chunk).start * self._row_bytes)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        self._checksums[chunk] = hashlib.sha256(content).hexdigest()
        with atomic_path(self.journal_path) as temporary:
            text = json.dumps({**self._description, "sha256": self._checksums}, indent=1)
            temporary.write_text(text, encoding="utf-8")

    def map(self) -> Tensor:
        """Map the whole matrix into memory; pages are read on first use.

        Returns:
            float16, of ``shape``. Changes stay in memory and are not written to the file.
        """
        count = self.shape[0] * self.shape[1]
        flat = torch.from_file(str(self.data_path), shared=False, size=count, dtype=torch.float16)
        return flat.view(self.shape)

    def _stored_checksum(self, chunk: int) -> str:
        rows = self.rows(chunk)
        with self.data_path.open("rb") as file:
            file.seek(rows.start * self._row_bytes)
            content = file.read((rows.stop - rows.start) * self._row_bytes)
        return hashlib.sha256(content).hexdigest()

    def _read_journal(self) -> list[str | None]:
        none: list[str | None] = [None] * len(self._checksums)
        if not (self.journal_path.exists() and self.data_path.exists()):
            return none
        try:
            journal = json.loads(self.journal_path.read_text(encoding="utf-8"))
            checksums = list(journal.pop("sha256"))
        except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
            journal, checksums = None, []
        # The items need no check: anything but the right checksum marks a chunk as missing.
        if journal != self._description or len(checksums) != len(none):
            log.warning("%s is damaged or stale: the cache is rebuilt.", self.journal_path)
            return none
        return checksums
