import hashlib
import re
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from mnist_lightning.files.download import DestinationError, DownloadError, download
from mnist_lightning.files.transfer import first_to_answer

CONTENT = bytes(range(256)) * 400  # 102,400 bytes: more than one block, so that a drop can split it
SHA256 = hashlib.sha256(CONTENT).hexdigest()
SHORT_TIMEOUT = 0.3
GENEROUS_SECONDS = 30.0

Respond = Callable[[BaseHTTPRequestHandler], None]
Serve = Callable[[Respond], str]


class QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is what these tests are about."""


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    monkeypatch.setenv("no_proxy", "*")
    servers: list[QuietServer] = []

    def start(respond: Respond) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                respond(self)

            do_HEAD = do_GET  # noqa: N815 - http.server's own name

            def log_message(self, format: str, *args: object) -> None:
                """Keep the test's output clean."""

        server = QuietServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/file.bin"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def send(
    request: BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: object
) -> None:
    request.send_response(status)
    for name, value in {"Content_Length": len(body), **headers}.items():
        request.send_header(name.replace("_", "-"), str(value))
    request.end_headers()
    if request.command == "GET":
        request.wfile.write(body)


def asked_from(request: BaseHTTPRequestHandler) -> int:
    asked = re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", ""))
    return int(asked[1]) if asked else 0


def sound(request: BaseHTTPRequestHandler) -> None:
    start = asked_from(request)
    if start:
        last = len(CONTENT) - 1
        content_range = f"bytes {start}-{last}/{len(CONTENT)}"
        send(request, CONTENT[start:], 206, Content_Range=content_range)
    else:
        send(request, CONTENT)


def without_range(request: BaseHTTPRequestHandler) -> None:
    send(request, CONTENT)


def wrong_bytes(request: BaseHTTPRequestHandler) -> None:
    send(request, CONTENT[::-1])


def web_page(request: BaseHTTPRequestHandler) -> None:
    send(request, b"<html>Log in to the network</html>", Content_Type="text/html; charset=utf-8")


def missing(request: BaseHTTPRequestHandler) -> None:
    send(request, b"", 404)


def broken_off(request: BaseHTTPRequestHandler) -> None:
    send(request, CONTENT[:30_000], Content_Length=len(CONTENT))


def circular(request: BaseHTTPRequestHandler) -> None:
    send(request, b"", 302, Location="/file.bin")


def fetch(*urls: str, to: Path, **options: object) -> Path:
    # A generous time-out: a busy machine must not make a sound server look silent.
    settings = {"sha256": SHA256, "timeout": GENEROUS_SECONDS, "progress": False, **options}
    return download(urls, to, **settings)  # type: ignore[arg-type]


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def counting(respond: Respond, starts: list[int]) -> Respond:
    def counted(request: BaseHTTPRequestHandler) -> None:
        starts.append(asked_from(request))
        respond(request)

    return counted


def test_file_arrives_whole_and_alone(serve: Serve, tmp_path: Path) -> None:
    destination = tmp_path / "new" / "folder" / "file.bin"
    assert fetch(serve(sound), to=destination) == destination
    assert destination.read_bytes() == CONTENT
    assert leftovers(destination.parent) == ["file.bin"]


def test_eight_digits_of_the_hash_are_enough(serve: Serve, tmp_path: Path) -> None:
    path = download([serve(sound)], tmp_path / "file.bin", sha256=SHA256[:8].upper())
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("sha256", ["", "abc", "not hexadecimal", SHA256 + "0"])
def test_what_is_no_hash_is_refused(sha256: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="hexadecimal"):
        download(["http://127.0.0.1:9/"], tmp_path / "file.bin", sha256=sha256)


def test_sound_file_is_not_downloaded_again(serve: Serve, tmp_path: Path) -> None:
    starts: list[int] = []
    (tmp_path / "file.bin").write_bytes(CONTENT)
    fetch(serve(counting(sound, starts)), to=tmp_path / "file.bin")
    assert starts == []
    assert leftovers(tmp_path) == ["file.bin"]


def test_wrong_file_is_replaced_by_the_right_one(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "file.bin").write_bytes(b"other")
    assert fetch(serve(sound), to=tmp_path / "file.bin").read_bytes() == CONTENT


def test_failed_download_leaves_a_wrong_file_as_it_was(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "file.bin").write_bytes(b"other")
    with pytest.raises(DownloadError):
        fetch(serve(missing), to=tmp_path / "file.bin")
    assert (tmp_path / "file.bin").read_bytes() == b"other"


def test_next_call_goes_on_where_the_last_broke_off(serve: Serve, tmp_path: Path) -> None:
    starts: list[int] = []
    partial = tmp_path / f".file.bin.{SHA256[:16]}.part"
    with pytest.raises(DownloadError, match=r"broke off after 30,000 of 102,400 bytes"):
        fetch(serve(broken_off), to=tmp_path / "file.bin")
    assert leftovers(tmp_path) == [partial.name]
    assert partial.read_bytes() == CONTENT[:30_000]
    fetch(serve(counting(sound, starts)), to=tmp_path / "file.bin")
    assert starts == [30_000]
    assert (tmp_path / "file.bin").read_bytes() == CONTENT
    assert leftovers(tmp_path) == ["file.bin"]


def test_drop_is_resumed_within_the_same_call(serve: Serve, tmp_path: Path) -> None:
    starts: list[int] = []

    def drops_once(request: BaseHTTPRequestHandler) -> None:
        (sound if starts[1:] else broken_off)(request)

    path = fetch(serve(counting(drops_once, starts)), to=tmp_path / "file.bin")
    assert path.read_bytes() == CONTENT
    assert starts == [0, 30_000]


def test_second_mirror_goes_on_where_the_first_broke_off(serve: Serve, tmp_path: Path) -> None:
    starts: list[int] = []
    urls = serve(broken_off), serve(counting(sound, starts))
    assert fetch(*urls, to=tmp_path / "file.bin").read_bytes() == CONTENT
    assert starts == [30_000]


def test_server_without_range_restarts_the_file(serve: Serve, tmp_path: Path) -> None:
    urls = serve(broken_off), serve(without_range)
    assert fetch(*urls, to=tmp_path / "file.bin").read_bytes() == CONTENT


@pytest.mark.parametrize("content_range", ["bytes 0-102399/102400", "nonsense", None])
def test_other_range_than_asked_for_restarts_the_file(
    content_range: str | None, serve: Serve, tmp_path: Path
) -> None:
    starts: list[int] = []

    def misplaced(request: BaseHTTPRequestHandler) -> None:
        headers = {} if content_range is None else {"Content_Range": content_range}
        send(request, CONTENT, 206 if asked_from(request) else 200, **headers)

    urls = serve(broken_off), serve(counting(misplaced, starts))
    assert fetch(*urls, to=tmp_path / "file.bin").read_bytes() == CONTENT
    assert starts == [30_000, 0]


def test_beginning_from_a_wrong_mirror_does_not_spoil_a_sound_one(
    serve: Serve, tmp_path: Path
) -> None:
    def wrong_and_broken_off(request: BaseHTTPRequestHandler) -> None:
        send(request, b"x" * 30_000, Content_Length=len(CONTENT))

    urls = serve(wrong_and_broken_off), serve(sound)
    assert fetch(*urls, to=tmp_path / "file.bin").read_bytes() == CONTENT


def test_whole_partial_file_needs_no_network(tmp_path: Path) -> None:
    (tmp_path / f".file.bin.{SHA256[:16]}.part").write_bytes(CONTENT)
    assert fetch("http://127.0.0.1:9/", to=tmp_path / "file.bin").read_bytes() == CONTENT


def test_too_long_partial_file_is_thrown_away(serve: Serve, tmp_path: Path) -> None:
    def strict(request: BaseHTTPRequestHandler) -> None:
        (sound if asked_from(request) < len(CONTENT) else unsatisfiable)(request)

    def unsatisfiable(request: BaseHTTPRequestHandler) -> None:
        send(request, b"", 416)

    (tmp_path / f".file.bin.{SHA256[:16]}.part").write_bytes(CONTENT + b"more")
    assert fetch(serve(strict), to=tmp_path / "file.bin").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("respond", "reason"),
    [
        (wrong_bytes, "wrong SHA-256"),
        (web_page, "web page"),
        (missing, "HTTP 404"),
        (circular, "HTTP 302"),
        (lambda request: send(request, CONTENT[:500]), "wrong SHA-256"),
        (lambda request: send(request, b""), "wrong SHA-256"),
        (lambda request: send(request, CONTENT, Content_Length="9" * 15), "than the disk has free"),
        (lambda request: request.wfile.write(b"SSH-2.0-OpenSSH\r\n"), "SSH-2.0-OpenSSH"),
        (lambda request: None, "closed connection"),
        (lambda request: send(request, b"", 302, Location="file:///etc/hosts"), "HTTP 302"),
        (lambda request: send(request, b"", 302, Location="http://[::1"), ""),
    ],
    ids=[
        "wrong bytes", "web page", "404", "redirect loop", "short", "empty", "absurd length",
        "no HTTP", "hangs up", "redirect to a file", "redirect nowhere",
    ],
)  # fmt: skip
def test_bad_mirror_is_named_with_its_reason_and_the_next_one_used(
    respond: Respond, reason: str, serve: Serve, tmp_path: Path
) -> None:
    bad = serve(respond)
    with pytest.raises(DownloadError) as caught:
        fetch(bad, to=tmp_path / "file.bin")
    assert bad in str(caught.value)
    assert reason.lower() in str(caught.value).lower()
    assert "\n" not in str(caught.value)
    assert leftovers(tmp_path) == []
    assert fetch(bad, serve(sound), to=tmp_path / "file.bin").read_bytes() == CONTENT
    assert leftovers(tmp_path) == ["file.bin"]


def test_every_mirror_is_named_when_none_delivers(serve: Serve, tmp_path: Path) -> None:
    urls = serve(missing), serve(wrong_bytes), "http://name.invalid/file.bin"
    with pytest.raises(DownloadError) as caught:
        fetch(*urls, to=tmp_path / "file.bin")
    assert all(url in str(caught.value) for url in urls)
    assert str(tmp_path / "file.bin") in str(caught.value)


@pytest.mark.parametrize("declared", [True, False], ids=["announced", "unannounced"])
def test_longer_file_than_allowed_is_refused(declared: bool, serve: Serve, tmp_path: Path) -> None:
    def undeclared(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        request.wfile.write(CONTENT)

    url = serve(sound if declared else undeclared)
    with pytest.raises(DownloadError, match="expected 50,000 at most"):
        fetch(url, to=tmp_path / "file.bin", max_bytes=50_000)
    assert leftovers(tmp_path) == []
    assert fetch(url, to=tmp_path / "file.bin", max_bytes=len(CONTENT)).is_file()


def silent(request: BaseHTTPRequestHandler) -> None:
    time.sleep(3 * SHORT_TIMEOUT)


def silent_after_the_beginning(request: BaseHTTPRequestHandler) -> None:
    broken_off(request)
    time.sleep(3 * SHORT_TIMEOUT)


def drips_headers(request: BaseHTTPRequestHandler) -> None:
    request.wfile.write(b"HTTP/1.0 200 OK\r\nX-Endless: ")
    drip(request)


def drips_content(request: BaseHTTPRequestHandler) -> None:
    send(request, b"", Content_Length=len(CONTENT))
    drip(request)


def drip(request: BaseHTTPRequestHandler) -> None:
    for _ in range(int(10 * GENEROUS_SECONDS / SHORT_TIMEOUT)):
        request.wfile.write(b".")  # ends with an error when the client hangs up
        time.sleep(SHORT_TIMEOUT / 10)


@pytest.mark.parametrize(
    "respond", [silent, silent_after_the_beginning, drips_headers, drips_content]
)
def test_slow_server_is_given_up_in_bounded_time(
    respond: Respond, serve: Serve, tmp_path: Path
) -> None:
    started = time.monotonic()
    with pytest.raises(DownloadError, match=r"too slow|in time"):
        fetch(serve(respond), to=tmp_path / "file.bin", timeout=SHORT_TIMEOUT)
    assert time.monotonic() - started < GENEROUS_SECONDS


def test_several_downloads_at_once_make_one_request(serve: Serve, tmp_path: Path) -> None:
    starts: list[int] = []
    url = serve(counting(sound, starts))
    with ThreadPoolExecutor(4) as pool:
        paths = list(pool.map(lambda _: fetch(url, to=tmp_path / "file.bin"), range(4)))
    assert paths == [tmp_path / "file.bin"] * 4
    assert (tmp_path / "file.bin").read_bytes() == CONTENT
    assert starts == [0]
    assert leftovers(tmp_path) == ["file.bin"]


def test_folder_that_is_a_file_is_an_error_of_the_destination(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "folder").write_text("a file")
    with pytest.raises(DestinationError, match=r"file\.bin cannot be written"):
        fetch(serve(sound), to=tmp_path / "folder" / "file.bin")


def test_full_disk_is_an_error_of_the_destination(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", no_space)
    with pytest.raises(DestinationError, match="No space left on device"):
        fetch(serve(sound), to=tmp_path / "file.bin")
    assert not (tmp_path / "file.bin").exists()


@pytest.mark.parametrize(("terminal", "shown"), [(True, True), (False, False)])
def test_progress_is_shown_on_a_terminal_only(
    terminal: bool,
    shown: bool,
    serve: Serve,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    download([serve(sound)], tmp_path / "file.bin", sha256=SHA256)
    assert ("file.bin: 100%" in capsys.readouterr().err) is shown


def test_first_server_to_answer_is_found_among_dead_ones(serve: Serve) -> None:
    urls = ["http://name.invalid/", serve(silent), serve(missing)]
    assert first_to_answer(urls, GENEROUS_SECONDS) == urls[2]


def test_nobody_answers_in_bounded_time(serve: Serve) -> None:
    started = time.monotonic()
    assert first_to_answer(["http://name.invalid/", serve(silent)], SHORT_TIMEOUT) is None
    assert first_to_answer(["http://127.0.0.1:9/"], GENEROUS_SECONDS) is None
    assert time.monotonic() - started < GENEROUS_SECONDS


def test_disk_space_is_asked_for_the_folder_of_the_destination(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=len(CONTENT) - 1)
    monkeypatch.setattr(shutil, "disk_usage", {tmp_path: usage}.__getitem__)
    with pytest.raises(DownloadError, match="more than the disk has free"):
        fetch(serve(sound), to=tmp_path / "file.bin")
