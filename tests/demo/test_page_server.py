import base64
import contextlib
import http.client
import json
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest

from mnist_lightning.demo import app, server
from mnist_lightning.demo.reading import DRAWING_SIDE

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
    """Send bytes as they are, and return the beginning of what comes back."""
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as client:
        for part in sent:
            client.sendall(part)
        return client.recv(100)


def head(url: str, *headers: str) -> bytes:
    lines = ("POST /predict HTTP/1.1", f"Host: {urlsplit(url).netloc}", *headers)
    return "\r\n".join((*lines, "Content-Type: application/octet-stream", "", "")).encode()


def test_every_model_answers_with_probabilities_and_how_sure_it_is(url: str) -> None:
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


def test_digits_of_28_pixels_reach_the_models_as_they_are(url: str) -> None:
    examples = json.loads(ask(url, "/examples")[2])["examples"]
    pixels = base64.b64decode(examples[3]["pixels"])

    assert [example["caption"] for example in examples] == list("0123456789")
    assert base64.b64decode(read(url, pixels)[1]["seen"]) == pixels


def test_noise_leaves_the_network_of_this_repository_unsure(url: str) -> None:
    # Checkerboards look like nothing, and "Always <7>" has no rule for when to be silent.
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
    ids=["empty", "short", "long", "no ink", "json", "one too many"],
)
def test_what_is_no_picture_is_refused_in_one_line(url: str, body: bytes, status: int) -> None:
    assert read(url, body)[0] == status
    assert read(url, bar())[0] == 200


def test_a_body_that_is_announced_to_be_huge_is_not_waited_for(url: str) -> None:
    assert converse(url, head(url, f"Content-Length: {10**13}")).startswith(b"HTTP/1.1 413")


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
def test_other_web_sites_and_rebound_names_are_refused(
    url: str, headers: dict[str, str], status: int
) -> None:
    assert read(url, bar(), **headers)[0] == status


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/predict", 405),
        ("POST", "/", 405),
        ("GET", "/../pyproject.toml", 404),
        ("GET", "/static/..%2f..%2fapp.py", 404),
        ("TRACE", "/", 405),
    ],
)
def test_only_the_page_and_its_questions_are_there(
    url: str, method: str, path: str, status: int
) -> None:
    assert ask(url, path, method=method)[0] == status


def test_all_answers_carry_the_security_headers(url: str) -> None:
    for path, status in (("/", 200), ("/page.js", 200), ("/nothing", 404)):
        found, headers, _ = ask(url, path)
        assert found == status
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert "server" not in headers


def test_more_pictures_than_can_wait_are_refused_and_the_rest_is_answered(
    serve: Callable[..., str],
) -> None:
    release = threading.Event()

    def slow(body: bytes) -> dict[str, Any]:
        release.wait(20)
        return {"length": len(body)}

    url = serve(slow)
    crowd = app.MAX_WAITING + 12
    with ThreadPoolExecutor(crowd) as pool:
        asked = [pool.submit(read, url, bar()) for _ in range(crowd)]
        refused = []
        while len(refused) < crowd - app.MAX_WAITING:
            refused = [one.result() for one in asked if one.done()]
        release.set()
        statuses = sorted(one.result()[0] for one in asked)

    assert {status for status, _ in refused} == {503}
    assert statuses == [200] * app.MAX_WAITING + [503] * 12
    assert read(url, bar())[0] == 200


def test_a_fault_in_a_model_is_one_line_and_the_next_picture_is_read(
    serve: Callable[..., str],
) -> None:
    faults = [RuntimeError("secret"), None]

    def faulty(body: bytes) -> dict[str, Any]:
        if (fault := faults.pop(0)) is not None:
            raise fault
        return {}

    url = serve(faulty)

    assert read(url, bar()) == (500, {"error": "the server could not read this picture"})
    assert read(url, bar()) == (200, {})


@pytest.mark.parametrize("beginning", [b"", b"POST /predict HTTP/1.1\r\nHost: loc"])
def test_clients_that_say_nothing_are_hung_up_on(
    serve: Callable[..., str], monkeypatch: pytest.MonkeyPatch, beginning: bytes
) -> None:
    monkeypatch.setattr(server, "HEADER_SECONDS", 0.2)
    assert converse(serve(lambda body: {}), beginning) == b""


def test_a_picture_that_arrives_too_slowly_is_refused(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "BODY_SECONDS", 0.2)
    assert converse(url, head(url, "Content-Length: 784"), b"abc").startswith(b"HTTP/1.1 408")


def test_garbage_instead_of_http_does_no_harm(url: str) -> None:
    for garbage in (b"\x16\x03\x01" * 50, b"GET / HTTP/9.9\r\n\r\n", b"A" * 100_000):
        # It may be hung up on before all of it is sent.
        with contextlib.suppress(ConnectionError):
            assert converse(url, garbage).startswith(b"HTTP/1.1 4")
    assert read(url, bar())[0] == 200
