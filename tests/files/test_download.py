import hashlib
import re
import socket
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from bad_servers import FAULTS, Request, Respond, Server, half, missing, right, running, wrong_bytes

from mnist_lightning.files.download import (
    DestinationError,
    DownloadError,
    download,
    first_to_answer,
)

CONTENT = bytes(range(256)) * 400
SHA256 = hashlib.sha256(CONTENT).hexdigest()
# Far above the short timeouts: it detects hanging and is not a measurement.
BOUND_SECONDS = 30.0
# Nothing listens on port 9, and the name cannot exist.
UNREACHABLE = ["http://127.0.0.1:9/file.bin", "http://name.invalid/file.bin"]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "*")
    with running() as server:
        server.files["/file.bin"] = CONTENT
        yield server


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "file.bin"


def fetch(*urls: str, to: Path, timeout: float = BOUND_SECONDS, sha256: str = SHA256) -> bytes:
    assert download(urls, to, sha256=sha256, max_bytes=len(CONTENT), timeout=timeout) == to
    assert list(to.parent.iterdir()) == [to]
    return to.read_bytes()


@pytest.mark.parametrize("fault", FAULTS)
def test_bad_server_is_named_with_its_reason_in_bounded_time(
    fault: str, server: Server, path: Path
) -> None:
    server.respond, reason = FAULTS[fault]
    url = f"{server.url}file.bin"
    # Short where the time limit is what is tested: elsewhere a busy machine could exceed it.
    timeout = 0.3 if "too slow" in reason else BOUND_SECONDS
    started = time.monotonic()
    with pytest.raises(DownloadError) as caught:
        fetch(url, to=path, timeout=timeout)
    assert time.monotonic() - started < BOUND_SECONDS
    message = str(caught.value)
    assert re.search(rf"{re.escape(url)}: .*({reason})", message), message
    assert str(path) in message
    assert message.isprintable()
    assert len(message) < 1_000
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("respond", [missing, wrong_bytes, half], ids=lambda one: one.__name__)
def test_next_address_is_used(respond: Respond, server: Server, path: Path) -> None:
    with running() as bad:
        bad.files, bad.respond = server.files, respond
        assert fetch(f"{bad.url}file.bin", f"{server.url}file.bin", to=path) == CONTENT
    assert bad.asked == server.asked == ["/file.bin"]


def test_first_digits_of_the_hash_are_enough_but_not_too_few(server: Server, path: Path) -> None:
    url = f"{server.url}file.bin"
    assert fetch(url, to=path, sha256=SHA256[:8].upper()) == CONTENT
    for sha256 in ("", SHA256[:7], "not hexadecimal", SHA256 + "0"):
        with pytest.raises(ValueError, match="hexadecimal"):
            fetch(url, to=path, sha256=sha256)


def test_existing_file_is_verified_and_replaced_only_by_the_right_one(
    server: Server, path: Path
) -> None:
    path.parent.mkdir()
    path.write_bytes(b"other")
    with pytest.raises(DownloadError) as caught:
        fetch(*UNREACHABLE, to=path)
    assert all(url in str(caught.value) for url in UNREACHABLE)
    assert path.read_bytes() == b"other"
    for _ in range(2):
        assert fetch(f"{server.url}file.bin", to=path) == CONTENT
    assert server.asked == ["/file.bin"]


def test_several_downloads_at_once_do_not_damage_each_other(server: Server, path: Path) -> None:
    together = threading.Barrier(4, timeout=BOUND_SECONDS)

    def respond(request: Request) -> None:
        together.wait()
        right(request)

    server.respond = respond
    urls = [f"{server.url}file.bin"]
    with ThreadPoolExecutor(4) as pool:
        options = {"sha256": SHA256, "max_bytes": len(CONTENT)}
        list(pool.map(lambda _: download(urls, path, **options), range(4)))
    assert fetch(to=path) == CONTENT


def test_unwritable_destination_is_reported_as_such(
    server: Server, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(self: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", no_space)
        with pytest.raises(DestinationError, match="No space left on device"):
            fetch(f"{server.url}file.bin", to=path)
    assert list(path.parent.iterdir()) == []
    path.write_text("a file")
    with pytest.raises(DestinationError, match=r"x\.bin cannot be written: (Not a|File exists)"):
        fetch(*UNREACHABLE, to=path / "x.bin")


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_is_shown_on_a_terminal_only(
    terminal: bool,
    server: Server,
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    fetch(f"{server.url}file.bin", to=path)
    assert ("file.bin: 100%" in capsys.readouterr().err) is terminal


def test_first_server_to_answer_is_found_in_bounded_time(server: Server) -> None:
    started = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as mute:  # accepts connections, no more
        dead = [*UNREACHABLE, f"http://127.0.0.1:{mute.getsockname()[1]}/"]
        assert first_to_answer([*dead, server.url], BOUND_SECONDS) == server.url
        assert first_to_answer(dead, 0.3) is None
    assert first_to_answer(UNREACHABLE, BOUND_SECONDS) is None
    assert time.monotonic() - started < BOUND_SECONDS
