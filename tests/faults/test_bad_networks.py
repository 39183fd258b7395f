"""Bad networks through ``train``; ``tests/files/test_download.py`` has all faults of a server."""

import gzip
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from bad_servers import FAULTS, Server, half, right, running
from torchvision.models import ResNet
from torchvision.models.resnet import Bottleneck

from mnist_lightning.commands import train
from mnist_lightning.data import mirrors
from mnist_lightning.data.standard import StandardFile
from mnist_lightning.models import pretrained as weights
from mnist_lightning.models import resnet50
from mnist_lightning.models.pretrained import Pretrained

MNIST = [
    *("--model", "cnn", "--model.widths", "[4]", "--data.source", "mnist", "--data.val_size", "50"),
    *("--data.data_dir", "data", "--trainer.fast_dev_run", "true"),
]
RESNET = ["--model", "resnet50", "--data.source", "mnist5k", "--trainer.fast_dev_run", "true"]
WEIGHTS = bytes(range(256)) * 600


@pytest.fixture
def server(
    tmp_path: Path, tiny_data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Server]:
    """The only mirror of a small MNIST and of weights for a small ResNet; empty caches."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("no_proxy", "*")
    with running() as server:
        known = []
        for path in sorted(tiny_data_dir.iterdir()):
            content = path.read_bytes()
            packed = server.files[f"/{path.name}.gz"] = gzip.compress(content, mtime=0)
            hashes = (hashlib.sha256(part).hexdigest() for part in (content, packed))
            known.append(StandardFile(path.name, *hashes, len(packed)))
        monkeypatch.setattr(mirrors, "FILES", known)
        monkeypatch.setattr(mirrors, "MIRRORS", (server.url,))
        name = f"resnet50-{hashlib.sha256(WEIGHTS).hexdigest()[:8]}.pth"
        server.files[f"/{name}"] = WEIGHTS
        entry = Pretrained("stand-in", server.url + name)
        monkeypatch.setitem(weights.PRETRAINED, "imagenet", entry)
        monkeypatch.setattr(resnet50, "resnet50", lambda weights=None: ResNet(Bottleneck, [1] * 4))
        yield server


def refused(argv: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert train.main(argv) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert line.isprintable()
    return str(line)


def files(folder: str) -> list[Path]:
    return [path for path in Path(folder).rglob("*") if path.is_file()]


@pytest.mark.parametrize("fault", ["half", "wrong bytes", "web page", "rude"])
def test_bad_server_ends_in_one_line_and_a_clean_cache(
    fault: str, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    server.respond, reason = FAULTS[fault]
    for argv, advice in ((MNIST, "mnist.npz"), (RESNET, "--model.weights PATH")):
        line = refused(argv, capsys)
        assert re.search(f"{server.url}.*({reason}).*{advice}", line), line
    assert files(".") == []


def test_server_that_is_not_there_is_reported(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    server.shutdown()
    server.server_close()
    assert "No mirror of MNIST answered" in refused(MNIST, capsys)
    assert "Connection refused" in refused(RESNET, capsys)
    assert files(".") == []


def test_next_run_has_the_whole_file(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    server.respond = half
    refused(MNIST, capsys)
    refused(RESNET, capsys)
    server.respond = right
    assert train.main(MNIST) == 0
    assert len(files("data")) == 8
    capsys.readouterr()
    # The hash of the weights is right; that they are not a state dict is the next error.
    assert "damaged or not a file of weights" in refused(RESNET, capsys)
    assert [path.read_bytes() for path in files("torch")] == [WEIGHTS]
