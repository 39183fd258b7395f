"""Rows of numbers on disk, written chunk by chunk and mapped into memory when complete."""

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
    """A float16 matrix in two files: ``.bin`` with the bare numbers, ``.json`` about them.

    The second names the SHA-256 of every chunk of rows. A chunk counts as written only if its
    bytes have it, so neither a crash between two writes nor a damaged disk can go unnoticed.

    Bytes are written through the file and not through a memory map, where a full disk ends the
    process instead of raising an error. A file is never made anew but corrected in place,
    because another run may have it mapped; the same rows give the same bytes.

    Args:
        stem: Path of both files without their suffixes; its folder exists.
        identity: What the numbers are, for JSON. Files that say otherwise are overwritten.
        shape: Rows and columns.
        chunk_rows: Rows that are written at once.
    """

    def __init__(
        self, stem: Path, identity: Mapping[str, Any], shape: tuple[int, int], chunk_rows: int
    ) -> None:
        self.data_path = stem.with_name(f"{stem.name}.bin")
        self.journal_path = stem.with_name(f"{stem.name}.json")
        self.shape = shape
        self.chunk_rows = chunk_rows
        self._description = {
            "identity": dict(identity),
            "dtype": "float16",
            "byte_order": sys.byteorder,
            "shape": list(shape),
            "chunk_rows": chunk_rows,
        }
        self._checksums: list[str | None] = [None] * -(-shape[0] // chunk_rows)

    @property
    def nbytes(self) -> int:
        """Size of the whole matrix in bytes."""
        return self.shape[0] * self.shape[1] * 2

    def missing_chunks(self) -> list[int]:
        """Read both files and tell which chunks have still to be written.

        Returns:
            Numbers of chunks, ascending; empty if the matrix is whole.

        Raises:
            OSError: A file is there and cannot be read.
        """
        self._checksums = self._read_journal()
        written = [chunk for chunk, checksum in enumerate(self._checksums) if checksum]
        damaged = []
        if written and self.data_path.exists():
            with self.data_path.open("rb") as file:
                for chunk in written:
                    file.seek(self._offset(chunk))
                    content = file.read(self._offset(chunk + 1) - self._offset(chunk))
                    if hashlib.sha256(content).hexdigest() != self._checksums[chunk]:
                        damaged.append(chunk)
        else:
            damaged = written
        if damaged:
            log.warning("%s is damaged: parts are computed anew.", self.data_path)
        for chunk in damaged:
            self._checksums[chunk] = None
        return [chunk for chunk, checksum in enumerate(self._checksums) if not checksum]

    def rows(self, chunk: int) -> slice:
        """Give the rows of a chunk."""
        return slice(chunk * self.chunk_rows, min((chunk + 1) * self.chunk_rows, self.shape[0]))

    def write(self, chunk: int, values: np.ndarray[Any, np.dtype[np.float16]]) -> None:
        """Write a chunk and note that it is there.

        Args:
            chunk: Its number.
            values: float16, as many rows as ``rows(chunk)`` spans, and all columns.

        Raises:
            OSError: The disk is full or the folder cannot be written.
            ValueError: ``values`` has another shape.
        """
        rows = self.rows(chunk)
        if values.shape != (rows.stop - rows.start, self.shape[1]):
            raise ValueError(f"chunk {chunk} has the shape {values.shape}")
        content = values.tobytes()
        self.data_path.touch()  # "r+b" does not create, "wb" would empty it, "ab" cannot seek
        with self.data_path.open("r+b") as file:
            file.truncate(self.nbytes)
            file.seek(self._offset(chunk))
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        self._checksums[chunk] = hashlib.sha256(content).hexdigest()
        with atomic_path(self.journal_path) as temporary:
            text = json.dumps({**self._description, "sha256": self._checksums}, indent=1)
            temporary.write_text(text, encoding="utf-8")

    def map(self) -> Tensor:
        """Map the whole matrix into memory: pages are read when they are first used.

        Returns:
            float16, of ``shape``. Changes to it stay in memory and do not reach the file.
        """
        count = self.shape[0] * self.shape[1]
        flat = torch.from_file(str(self.data_path), shared=False, size=count, dtype=torch.float16)
        return flat.view(self.shape)

    def _offset(self, chunk: int) -> int:
        return min(chunk * self.chunk_rows, self.shape[0]) * self.shape[1] * 2

    def _read_journal(self) -> list[str | None]:
        nothing: list[str | None] = [None] * len(self._checksums)
        if not self.journal_path.exists():
            return nothing
        try:
            journal = json.loads(self.journal_path.read_text(encoding="utf-8"))
            checksums = journal.pop("sha256")
        except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
            journal, checksums = None, None
        if journal != self._description or not self._are_checksums(checksums):
            log.warning("%s is damaged or stale: the cache is rebuilt.", self.journal_path)
            return nothing
        return list(checksums)

    def _are_checksums(self, value: object) -> bool:
        return (
            isinstance(value, list)
            and len(value) == len(self._checksums)
            and all(item is None or isinstance(item, str) for item in value)
        )
