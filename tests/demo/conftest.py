"""The demo server in a thread, with two models."""

import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from mnist_lightning.data.digits import DigitDataset, Digits
from mnist_lightning.demo.app import make_app
from mnist_lightning.demo.reading import read_picture
from mnist_lightning.demo.server import listen, make_server, url_of
from mnist_lightning.demo.strip import example_strip
from mnist_lightning.export.trained_model import TrainedModel, load_trained

TRAINED = Path(__file__).parents[2] / "output" / "published" / "custom_cnn_model.pt"
Serve = Callable[[Callable[[bytes], dict[str, Any]]], str]


class AlwaysSeven(torch.nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.eye(10)[torch.full((len(images),), 7)] * 5


@pytest.fixture(scope="session")
def models() -> list[TrainedModel]:
    """The published CNN, and a model that always predicts 7."""
    path = Path("stubborn.pt")
    stubborn = TrainedModel("stubborn", "Always <7>", path, AlwaysSeven().eval(), None, False)
    return [load_trained(TRAINED), stubborn]


@pytest.fixture(scope="module")
def serve(tiny_digits: Digits) -> Iterator[Serve]:
    """Start servers with a given function for pictures; they end with the module."""
    dataset = DigitDataset("Mosaics", tiny_digits, tiny_digits, "0" * 64, is_standard=False)
    started = []

    def start(read: Callable[[bytes], dict[str, Any]]) -> str:
        listening = listen("127.0.0.1", 0)
        server = make_server(make_app(read, example_strip(dataset), "127.0.0.1"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        started.append((server, thread))
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        return url_of(listening)

    yield start
    for server, _ in started:
        server.should_exit = True
    for _, thread in started:
        thread.join(10)
        assert not thread.is_alive()


@pytest.fixture(scope="module")
def url(serve: Serve, models: list[TrainedModel]) -> str:
    return serve(partial(read_picture, models))
