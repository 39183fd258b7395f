import fcntl
import os
import shutil
import time
from collections import namedtuple
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import pytest

from mnist_lightning.errors import OutputError
from mnist_lightning.files.storage import atomic_path, check_writable, one_writer, remove_abandoned

Usage = namedtuple("Usage", "total used free")


@contextmanager
def _umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_finished_file_replaces_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    path.write_text("old")

    with atomic_path(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"

    assert path.read_text() == "new"
    assert _names(tmp_path) == ["record.json"]


def test_a_new_file_appears_only_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "record.json"

    with atomic_path(path) as temporary:
        temporary.write_text("new")
        assert not path.exists()
        assert temporary.parent == path.parent

    assert path.read_text() == "new"


def test_a_file_is_flushed_while_it_is_open_for_writing_as_windows_demands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flush(handle: int) -> None:
        if not fcntl.fcntl(handle, fcntl.F_GETFL) & (os.O_WRONLY | os.O_RDWR):
            raise OSError(9, "Bad file descriptor")
        flushed.append(handle)

    flushed: list[int] = []
    monkeypatch.setattr(os, "fsync", flush)

    with _umask(0o222), atomic_path(tmp_path / "record.json") as temporary:
        temporary.write_text("new")

    assert len(flushed) == 1
    assert (tmp_path / "record.json").stat().st_mode & 0o777 == 0o444


def test_a_file_that_another_program_has_open_stays_and_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows does not replace a file that another process has open."""
    path = tmp_path / "record.json"
    path.write_text("old")

    def refuse(self: Path, target: Path) -> NoReturn:
        raise PermissionError(13, "Access is denied", str(self), 5, str(target))

    monkeypatch.setattr(Path, "replace", refuse)

    with pytest.raises(PermissionError) as caught, atomic_path(path) as temporary:
        temporary.write_text("new")

    assert caught.value.filename == str(path)
    assert path.read_text() == "old"
    assert _names(tmp_path) == ["record.json"]


def test_a_lock_file_that_cannot_be_deleted_while_it_is_open_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, missing_ok: bool = False) -> NoReturn:
        raise PermissionError(13, "The process cannot access the file", str(self))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse)
        with one_writer(tmp_path, "custom_cnn"):
            pass

    # The lock itself was released.
    with one_writer(tmp_path, "custom_cnn"):
        (tmp_path / "record.json").write_text("new")

    assert (tmp_path / "record.json").read_text() == "new"


@pytest.mark.parametrize("failure", [RuntimeError, OSError, KeyboardInterrupt, SystemExit])
def test_a_failure_while_writing_keeps_the_old_file_and_nothing_else(
    failure: type[BaseException], tmp_path: Path
) -> None:
    path = tmp_path / "record.json"
    path.write_text("old")

    def write() -> None:
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise failure

    with pytest.raises(failure):
        write()

    assert path.read_text() == "old"
    assert _names(tmp_path) == ["record.json"]


@pytest.mark.parametrize("step", ["os.fsync", "pathlib.Path.replace"])
def test_a_failure_while_finishing_keeps_the_old_file_and_nothing_else(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object) -> NoReturn:
        raise OSError(28, "No space left on device")

    path = tmp_path / "record.json"
    path.write_text("old")
    monkeypatch.setattr(step, fail)

    with pytest.raises(OSError, match="No space left"), atomic_path(path) as temporary:
        temporary.write_text("new")

    assert path.read_text() == "old"
    assert _names(tmp_path) == ["record.json"]


def test_the_content_is_flushed_before_the_old_file_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "record.json"
    path.write_text("old")
    synced: list[tuple[int, str]] = []
    # Records which file is flushed, and that the old one is still in place.
    monkeypatch.setattr(
        os, "fsync", lambda handle: synced.append((os.fstat(handle).st_ino, path.read_text()))
    )

    with atomic_path(path) as temporary:
        temporary.write_text("new")
        number = temporary.stat().st_ino

    assert synced == [(number, "old")]


@pytest.mark.parametrize(("mask", "expected"), [(0o022, 0o644), (0o002, 0o664), (0o077, 0o600)])
def test_permissions_follow_the_umask(mask: int, expected: int, tmp_path: Path) -> None:
    path = tmp_path / "record.json"

    with _umask(mask):
        with atomic_path(path) as temporary:
            temporary.write_text("new")
        still = os.umask(mask)

    assert path.stat().st_mode & 0o777 == expected
    assert still == mask


@pytest.mark.parametrize("name", ["figure.png", "arrays.npz", "model.pt", "metrics.csv"])
def test_the_temporary_file_has_the_suffix_of_the_destination(name: str, tmp_path: Path) -> None:
    with atomic_path(tmp_path / name) as temporary:
        assert temporary.suffix == Path(name).suffix
        assert temporary.name.startswith(".")


def test_two_writers_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    path = tmp_path / "record.json"

    with atomic_path(path) as first, atomic_path(path) as second:
        first.write_text("first")
        second.write_text("second")

    assert path.read_text() == "first"
    assert _names(tmp_path) == ["record.json"]


def _abandon(path: Path, hours: float) -> None:
    """Write a file and set its time of modification back."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("half")
    written = time.time() - 3600 * hours
    os.utime(path, (written, written))


def test_temporary_files_of_killed_writers_are_deleted_when_they_are_old(tmp_path: Path) -> None:
    _abandon(tmp_path / ".last-abandone.tmp.ckpt", 1.1)
    kept = [".last-stillnew.tmp.ckpt", ".best-abandone.tmp.ckpt", ".last-abandone.tmp.png"]
    for name, hours in zip([*kept, "last.ckpt"], (0.9, 9, 9, 9), strict=True):
        _abandon(tmp_path / name, hours)

    with atomic_path(tmp_path / "last.ckpt") as temporary:
        temporary.write_text("new")

    assert _names(tmp_path) == sorted([*kept, "last.ckpt"])


def test_temporary_files_are_deleted_in_subfolders(tmp_path: Path) -> None:
    abandoned = [".metrics-abandone.tmp.csv", "checkpoints/.last-abandone.tmp.ckpt"]
    others = [".metrics-stillnew.tmp.csv", ".hidden", "checkpoints/last.ckpt"]
    for name, hours in zip([*abandoned, *others], (9, 9, 0.9, 9, 9), strict=True):
        _abandon(tmp_path / "version_0" / name, hours)

    remove_abandoned(tmp_path)
    remove_abandoned(tmp_path / "none")

    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert sorted(files) == sorted(tmp_path / "version_0" / name for name in others)


def test_files_are_written_without_a_lock_if_the_disk_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any, **options: Any) -> NoReturn:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr("filelock.FileLock.acquire", refuse)

    with one_writer(tmp_path, "custom_cnn"):
        (tmp_path / "record.json").write_text("new")

    assert _names(tmp_path) == ["record.json"]


def test_a_writable_folder_is_created_and_stays_empty(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "output"

    check_writable(folder, bytes_needed=1)

    assert _names(folder) == []


def test_a_folder_without_permission_is_refused_with_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Patched, because root may write anywhere.
    def refuse(*args: Any, **kwargs: Any) -> NoReturn:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)

    with pytest.raises(
        OutputError, match=r"--output_dir: .*\(Permission denied\); choose"
    ) as caught:
        check_writable(tmp_path, bytes_needed=1)

    assert str(tmp_path) in str(caught.value)


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A folder that this process cannot write to, even if root started it."""
    tmp_path.chmod(0o555)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    yield tmp_path
    os.seteuid(user)


def test_a_read_only_folder_is_refused(read_only: Path) -> None:
    with pytest.raises(OutputError, match="Permission denied"):
        check_writable(read_only, bytes_needed=1)


@pytest.mark.parametrize("below", [False, True])
def test_a_file_in_place_of_the_folder_is_refused(below: bool, tmp_path: Path) -> None:
    file = tmp_path / "output"
    file.write_text("mine")

    with pytest.raises(OutputError, match="--output_dir: nothing can be written to"):
        check_writable(file / "runs" if below else file, bytes_needed=1)

    assert file.read_text() == "mine"


def test_a_disk_with_too_little_space_is_refused_with_both_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(10**9, 10**9, 5_000_000))

    with pytest.raises(OutputError, match=r"has 5 MB left and this run needs about 80 MB"):
        check_writable(tmp_path, bytes_needed=80_000_000)

    check_writable(tmp_path, bytes_needed=5_000_000)
