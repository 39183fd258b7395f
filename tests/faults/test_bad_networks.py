"""Bad networks, through ``train``: an end in bounded time, one line, nothing left in the cache.

What ``download`` alone does with such servers is in tests/test_download.py.
"""

import gzip
import hashlib
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bad_servers import FAULTS, Server, dropping, missing, running, sound, wrong_bytes
from torchvision.models import ResNet
from torchvision.models.resnet import Bottleneck

from mnist_lightning import train
from mnist_lightning.data import mirrors
from mnist_lightning.data.standard import StandardFile
from mnist_lightning.files.transfer import Transfer
from mnist_lightning.models import pretrained as weights
from mnist_lightning.models import resnet50
from mnist_lightning.models.pretrained import Pretrained

MNIST = [
    *("--model", "cnn", "--model.widths", "[4]", "--data.source", "mnist", "--data.val_size", "50"),
    *("--data.data_dir", "data", "--trainer.fast_dev_run", "true"),
]
RESNET = ["--model", "resnet50", "--data.source", "mnist5k", "--trainer.fast_dev_run", "true"]
# Far above what the short time-outs add up to: a guard against hanging, not a measurement.
BOUND_SECONDS = 30.0
SHORT_TIMEOUT = 0.3
WEIGHTS = bytes(range(256)) * 600
USUAL = ("silent", "drops mid-file", "wrong bytes", "web page", "redirects to itself", "missing")


@pytest.fixture(autouse=True)
def _user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder, an empty cache, and little patience."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("no_proxy", "*")

    def impatient(url: str, *, start: int, timeout: float) -> Transfer:
        return Transfer(url, start=start, timeout=min(timeout, SHORT_TIMEOUT))

    monkeypatch.setattr("mnist_lightning.files.download.Transfer", impatient)


@pytest.fixture
def server() -> Iterator[Server]:
    with running() as server:
        yield server


@pytest.fixture
def mirror(server: Server, tiny_data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    """The only mirror of a small MNIST."""
    known = []
    for path in sorted(tiny_data_dir.iterdir()):
        content = path.read_bytes()
        packed = gzip.compress(content, mtime=0)
        server.files[f"/{path.name}.gz"] = packed
        hashes = (hashlib.sha256(part).hexdigest() for part in (content, packed))
        known.append(StandardFile(path.name, *hashes, len(packed)))
    monkeypatch.setattr(mirrors, "FILES", known)
    monkeypatch.setattr(mirrors, "MIRRORS", (server.url,))
    return server


@pytest.fixture
def hub(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """The only server of weights, for a ResNet of few layers."""
    name = f"resnet50-{hashlib.sha256(WEIGHTS).hexdigest()[:8]}.pth"
    server.files[f"/{name}"] = WEIGHTS
    entry = Pretrained("stand-in", server.url + name, (0.5,) * 3, (0.5,) * 3)
    monkeypatch.setitem(weights.PRETRAINED, "imagenet", entry)
    monkeypatch.setattr(resnet50, "resnet50", lambda weights=None: ResNet(Bottleneck, [1, 1, 1, 1]))
    return server


def files(*folders: str) -> list[str]:
    return sorted(path.name for folder in folders for path in Path(folder).rglob("*.*"))


def refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    started = time.monotonic()
    assert train.main(words) == 2
    assert time.monotonic() - started < BOUND_SECONDS
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert line.isprintable()
    assert len(line) < 1_000
    return str(line)


@pytest.mark.parametrize(
    ("what", "fault"),
    [("mnist", fault) for fault in FAULTS] + [("weights", fault) for fault in USUAL],
)
def test_bad_server_ends_in_one_line_and_a_clean_cache(
    what: str, fault: str, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    server: Server = request.getfixturevalue({"mnist": "mirror", "weights": "hub"}[what])
    server.respond, reason = FAULTS[fault]
    line = refused(MNIST if what == "mnist" else RESNET, capsys)
    assert re.search(reason, line), line
    assert server.url in line
    assert ("--model.weights PATH" if what == "weights" else "mnist.npz") in line
    # Half a file is what the next run goes on from; anything else is of no use to anybody.
    left = files("data", "torch")
    assert len(left) == (fault == "drops mid-file"), left
    assert all(name.endswith(".part") for name in left)
    assert files("output") == []


def test_server_that_is_not_there_leaves_nothing(
    mirror: Server, hub: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server = mirror
    server.shutdown()
    server.server_close()
    assert "No mirror of MNIST answered" in refused(MNIST, capsys)
    assert "Connection refused" in refused(RESNET, capsys)
    assert files(".") == []


def test_next_run_goes_on_where_a_drop_ended_the_last_one(
    mirror: Server, tiny_data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mirror.respond = dropping
    refused(MNIST, capsys)
    broken, half = mirror.asked[0][0], len(mirror.files[mirror.asked[0][0]]) // 2
    mirror.respond, mirror.asked[:] = sound, []
    assert train.main(MNIST) == 0
    assert mirror.asked[0] == (broken, half)
    assert [start for _, start in mirror.asked[1:]] == [0, 0, 0]
    raw = Path("data", "MNIST", "raw")
    found = {path.name: path.read_bytes() for path in raw.iterdir()}
    assert found == {path.name: path.read_bytes() for path in tiny_data_dir.iterdir()}


def test_weights_are_resumed_and_verified_before_they_are_read(
    hub: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.respond = dropping
    refused(RESNET, capsys)
    hub.respond, hub.asked[:] = sound, []
    # The whole file is right by its checksum; that it is no ResNet is the next thing to be said.
    assert "damaged or not a file of weights" in refused(RESNET, capsys)
    assert [start for _, start in hub.asked] == [len(WEIGHTS) // 2]
    assert Path("torch", "hub", "checkpoints", *files("torch")).read_bytes() == WEIGHTS


@pytest.mark.parametrize("first", [missing, wrong_bytes, dropping], ids=lambda f: f.__name__)
def test_sound_mirror_makes_up_for_a_bad_one(
    first: Any, mirror: Server, monkeypatch: pytest.MonkeyPatch, tiny_data_dir: Path
) -> None:
    with running() as bad:
        bad.files, bad.respond = mirror.files, first
        monkeypatch.setattr(mirrors, "MIRRORS", (bad.url, mirror.url))
        monkeypatch.setattr(mirrors, "first_to_answer", lambda urls, seconds: urls[0])
        assert train.main(MNIST) == 0
    assert bad.asked
    assert files("data") == []
    assert len(list(Path("data", "MNIST", "raw").iterdir())) == 4
