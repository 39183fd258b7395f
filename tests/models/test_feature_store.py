"""The matrix on disk: damage, interruption, stale files."""

import json
import logging
from pathlib import Path

import numpy as np
import pytest
import torch

from mnist_lightning.models.feature_store import FeatureStore

VALUES = np.arange(21, dtype=np.float16).reshape(7, 3)


def store(folder: Path, identity: str = "a", chunk_rows: int = 3) -> FeatureStore:
    return FeatureStore(folder / "x.y", {"of": identity}, VALUES.shape, chunk_rows)


def fill(target: FeatureStore) -> FeatureStore:
    for chunk in target.missing_chunks():
        target.write(chunk, VALUES[target.rows(chunk)])
    return target


def test_written_values_are_mapped(tmp_path: Path) -> None:
    assert store(tmp_path).missing_chunks() == [0, 1, 2]
    assert torch.equal(fill(store(tmp_path)).map(), torch.from_numpy(VALUES))
    assert store(tmp_path).missing_chunks() == []


def test_changes_to_the_mapped_matrix_are_not_written_to_the_file(tmp_path: Path) -> None:
    fill(store(tmp_path)).map().zero_()
    assert torch.equal(store(tmp_path).map(), torch.from_numpy(VALUES))


def test_interrupted_store_continues_where_it_stopped(tmp_path: Path) -> None:
    first = store(tmp_path)
    first.missing_chunks()
    first.write(1, VALUES[3:6])
    assert store(tmp_path).missing_chunks() == [0, 2]
    assert torch.equal(fill(store(tmp_path)).map(), torch.from_numpy(VALUES))


def test_only_the_damaged_chunk_is_missing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = fill(store(tmp_path)).data_path
    content = bytearray(path.read_bytes())
    content[3 * 3 * 2] ^= 1  # the first byte of the second chunk
    path.write_bytes(content)
    assert store(tmp_path).missing_chunks() == [1]
    assert f"{path} is damaged" in caplog.text
    assert torch.equal(fill(store(tmp_path)).map(), torch.from_numpy(VALUES))


@pytest.mark.parametrize(("size", "missing"), [(0, [0, 1, 2]), (19, [1, 2]), (60, [])])
def test_a_file_of_the_wrong_length_is_fixed(tmp_path: Path, size: int, missing: list[int]) -> None:
    path = fill(store(tmp_path)).data_path
    path.write_bytes(path.read_bytes().ljust(60, b"x")[:size])
    assert store(tmp_path).missing_chunks() == missing
    assert torch.equal(fill(store(tmp_path)).map(), torch.from_numpy(VALUES))


def test_without_the_data_file_all_chunks_are_missing(tmp_path: Path) -> None:
    fill(store(tmp_path)).data_path.unlink()
    assert store(tmp_path).missing_chunks() == [0, 1, 2]


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "null", "\udcff", '{"sha256": 3}', '{"sha256": [1, 2, 3]}', "[" * 10**5],
)
def test_damaged_journal_makes_all_chunks_missing(
    tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = fill(store(tmp_path)).journal_path
    path.write_bytes(content.encode(errors="surrogateescape"))
    assert store(tmp_path).missing_chunks() == [0, 1, 2]
    assert "damaged or stale" in caplog.text


def test_wrong_checksums_of_the_right_length_make_all_chunks_missing(tmp_path: Path) -> None:
    path = fill(store(tmp_path)).journal_path
    journal = json.loads(path.read_text())
    journal["sha256"] = [3, None, "0" * 64]
    path.write_text(json.dumps(journal))
    assert store(tmp_path).missing_chunks() == [0, 1, 2]


def test_files_with_another_identity_or_chunk_size_are_stale(tmp_path: Path) -> None:
    fill(store(tmp_path))
    assert store(tmp_path, identity="b").missing_chunks() == [0, 1, 2]
    assert store(tmp_path, chunk_rows=2).missing_chunks() == [0, 1, 2, 3]


def test_rewriting_keeps_an_older_mapping_valid(tmp_path: Path) -> None:
    target = fill(store(tmp_path))
    mapped = target.map()
    target.journal_path.unlink()
    fill(store(tmp_path))
    assert torch.equal(mapped, torch.from_numpy(VALUES))


def test_an_intact_cache_is_read_without_a_message(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    fill(store(tmp_path))
    store(tmp_path).missing_chunks()
    assert not caplog.messages
