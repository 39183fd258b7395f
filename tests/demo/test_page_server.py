import base64
import contextlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest

from mnist_lightning.demo.reading import DRAWING_SIDE, read_picture
from mnist_lightning.demo.server import MAX_CONNECTIONS
from mnist_lightning.export.trained_model import TrainedModel

PICTURE = {"Content-Type": "application/octet-stream"}


def bar() -> bytes:
    picture = np.zeros((DRAWING_SIDE, DRAWING_SIDE), dtype=np.uint8)
    picture[15:95, 52:60] = 255
    return picture.tobytes()


def ask(
    url: str, path: str, body: bytes | None = None, method: str = "", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    typed = PICTURE if body is not None else {}
    connection.request(method or ("GET" if body is None else "POST"), path, body, typed | named)
    answer = connection.getresponse()
    result = answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read()
    connection.close()
    return result


def read(url: str, body: bytes, **headers: str) -> tuple[int, dict[str, Any]]:
    status, _, content = ask(url, "/predict", body, **headers)
    assert content.count(b"\n") == 0
    return status, json.loads(content)


def converse(url: str, *sent: bytes) -> bytes:
    """Send raw bytes, and return the beginning of the answer."""
    with connect(url) as client:
        for part in sent:
            client.sendall(part)
        return client.recv(100)


def connect(url: str) -> socket.socket:
    address = urlsplit(url)
    return socket.create_connection((address.hostname, address.port), timeout=10)


def head(url: str, *headers: str) -> bytes:
    lines = ("POST /predict HTTP/1.1", f"Host: {urlsplit(url).netloc}", *headers)
    return "\r\n".join((*lines, "Content-Type: application/octet-stream", "", "")).encode()


def test_every_model_answers_with_its_probabilities_and_whether_it_is_sure(url: str) -> None:
    status, answer = read(url, bar())

    assert status == 200
    assert [model["title"] for model in answer["models"]] == ["Custom CNN", "Always <7>"]
    assert [model["digit"] for model in answer["models"]] == [1, 7]
    assert answer["agree"] is False
    for model in answer["models"]:
        assert sum(model["probabilities"]) == pytest.approx(1, abs=1e-3)
        assert max(model["probabilities"]) == model["probabilities"][model["digit"]]
        assert 0 < model["milliseconds"] <= answer["milliseconds"]
    seen = np.frombuffer(base64.b64decode(answer["seen"]), dtype=np.uint8).reshape(28, 28)
    rows, columns = np.nonzero(seen > 100)
    assert 18 <= rows.max() - rows.min() <= 20
    assert columns.max() - columns.min() <= 4


def test_two_files_of_one_model_have_names_and_titles_of_their_own(
    serve: Callable[..., str], models: list[TrainedModel]
) -> None:
    cnn = models[0]
    twice = [cnn, replace(cnn, path=cnn.path.with_suffix(".onnx"))]

    _, answer = read(serve(partial(read_picture, twice)), bar())

    assert len({model["name"] for model in answer["models"]}) == 2
    titles = [model["title"] for model in answer["models"]]
    assert titles == [f"{cnn.title}, {cnn.path.name}", f"{cnn.title}, {twice[1].path.name}"]


def test_digits_of_28_pixels_reach_the_models_as_they_are(url: str) -> None:
    examples = json.loads(ask(url, "/examples")[2])["examples"]
    pixels = base64.b64decode(examples[3]["pixels"])

    assert [example["caption"] for example in examples] == list("0123456789")
    assert base64.b64decode(read(url, pixels)[1]["seen"]) == pixels


def test_the_trained_network_is_not_sure_of_noise(url: str) -> None:
    # "Always <7>" has no rejection rule, so it is sure of everything.
    board = np.kron(np.indices((4, 4)).sum(axis=0) % 2, np.ones((7, 7))).astype(np.uint8) * 255

    models = read(url, board.tobytes())[1]["models"]

    assert [model["sure"] for model in models] == [False, True]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"\xff" * 783, 400),
        (b"\xff" * 785, 400),
        (b"\x00" * 784, 400),
        (b'{"pixels": [1, 2, 3]}', 400),
        (b"\xff" * (DRAWING_SIDE**2 + 1), 413),
    ],
    ids=["no bytes", "short", "long", "empty picture", "json", "one too many"],
)
def test_an_invalid_picture_is_refused_in_one_line(url: str, body: bytes, status: int) -> None:
    assert read(url, body)[0] == status
    assert read(url, bar())[0] == 200


def test_a_huge_body_is_cut_off_at_the_largest_picture(url: str) -> None:
    answer = converse(url, head(url, f"Content-Length: {10**13}"), b"x" * (DRAWING_SIDE**2 + 1))
    assert answer.startswith(b"HTTP/1.1 413")


def test_an_endless_body_without_a_length_is_cut_off(url: str) -> None:
    chunk = b"2000\r\n" + b"x" * 0x2000 + b"\r\n"
    answer = converse(url, head(url, "Transfer-Encoding: chunked"), chunk, chunk)
    assert answer.startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost"}, 200),
        ({"Host": "evil.example"}, 403),
        ({"Host": "127.0.0.1.evil.example:80"}, 403),
        ({"Host": "[::1"}, 403),
        ({"Host": ""}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Content_Type": "text/plain"}, 415),
    ],
)
def test_other_web_sites_and_dns_rebinding_are_refused(
    url: str, headers: dict[str, str], status: int
) -> None:
    assert read(url, bar(), **headers)[0] == status


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/predict", 404),
        ("POST", "/", 405),
        ("GET", "/../pyproject.toml", 404),
        ("GET", "/static/..%2f..%2fapp.py", 404),
        ("GET", "/..%2fapp.py", 404),
        ("TRACE", "/", 405),
    ],
)
def test_nothing_but_the_page_and_its_requests_is_served(
    url: str, method: str, path: str, status: int
) -> None:
    assert ask(url, path, method=method)[0] == status


def test_all_answers_carry_the_security_headers(url: str) -> None:
    for path, status, kind in (
        ("/", 200, "text/html"),
        ("/page.js", 200, "text/javascript"),
        ("/style.css", 200, "text/css"),
        ("/icon.svg", 200, "image/svg+xml"),
        ("/nothing", 404, "application/json"),
    ):
        found, headers, _ = ask(url, path)
        assert found == status
        assert headers["content-type"].startswith(kind)
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert "server" not in headers


def test_pictures_are_read_one_at_a_time_and_all_are_answered(serve: Callable[..., str]) -> None:
    busy = threading.Lock()

    def slow(body: bytes) -> dict[str, Any]:
        assert busy.acquire(blocking=False)
        time.sleep(0.02)
        busy.release()
        return {}

    url = serve(slow)
    with ThreadPoolExecutor(10) as pool:
        answers = pool.map(lambda _: read(url, bar()), range(10))

    assert list(answers) == [(200, {})] * 10


def test_clients_that_send_nothing_or_half_a_request_do_not_delay_others(
    serve: Callable[..., str],
) -> None:
    url = serve(lambda body: {})
    with contextlib.ExitStack() as slow:
        for sent in (b"", b"POST /predict HTTP/1.1\r\nHost: loc", head(url, "Content-Length: 784")):
            slow.enter_context(connect(url)).sendall(sent)
        start = time.monotonic()
        assert read(url, bar()) == (200, {})
        assert time.monotonic() - start < 15


def test_more_connections_than_the_limit_are_refused_until_some_end(
    serve: Callable[..., str],
) -> None:
    url = serve(lambda body: {})
    with contextlib.ExitStack() as idle:
        for _ in range(MAX_CONNECTIONS):
            idle.enter_context(connect(url))
        assert ask(url, "/")[0] == 503
    deadline = time.monotonic() + 10
    while (status := ask(url, "/")[0]) == 503 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert status == 200


def test_an_error_in_a_model_is_one_line_and_the_next_picture_is_read(
    serve: Callable[..., str],
) -> None:
    errors = [RuntimeError("secret"), None]

    def fail_once(body: bytes) -> dict[str, Any]:
        if (error := errors.pop(0)) is not None:
            raise error
        return {}

    url = serve(fail_once)

    assert read(url, bar()) == (500, {"error": "the server could not read this picture"})
    assert read(url, bar()) == (200, {})


def test_garbage_instead_of_http_does_no_harm(url: str) -> None:
    for garbage in (b"\x16\x03\x01" * 50, b"GET / HTTP/9.9\r\n\r\n", b"A" * 100_000):
        # The server may close the connection before all of it is sent.
        with contextlib.suppress(ConnectionError):
            assert converse(url, garbage).startswith(b"HTTP/1.1 4")
    assert read(url, bar())[0] == 200
