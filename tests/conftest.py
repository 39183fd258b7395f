"""Shared fixtures: one thread, short timings, loggers that caplog can read, small digits.

Lightning is imported inside fixtures, because that takes seconds and most files do not need it.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch import from_numpy

from mnist_lightning.data.digits import Digits, Pixels

if TYPE_CHECKING:
    from lightning import Trainer
    from playwright.sync_api import Browser

    from mnist_lightning.data.datamodule import MNISTDataModule

TRAIN, TEST = 400, 100
LARGE = 100_000  # bytes
_LOGGERS = ("mnist_lightning", "lightning.pytorch", "lightning.fabric")
#: What draws the figures of a training and of a measurement of robustness.
_PLOTS = {
    "results": ("plot_curves", "plot_confusion", "plot_counts", "plot_examples"),
    "reporting.robustness_figure": ("plot_robustness", "plot_corruptions", "plot_saliency"),
}


def pytest_configure() -> None:
    """Let Ctrl-C reach the programs that tests start, which inherit how a signal is handled.

    A shell makes its background jobs ignore it, such as a suite that is started with ``pytest &``.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with the files that have slow tests.

    xdist gives whole files to its processes, in this order. A long file at the end would keep one
    process busy while the others have nothing left to do.
    """
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    # Small tensors gain nothing from threads, and on a busy machine threads are much slower.
    torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def _short_timings() -> Iterator[None]:
    # Four seconds of each training otherwise; a short measurement has the same parts.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mnist_lightning.evaluation.latency.BUDGET_SECONDS", 0.05)
        yield


@pytest.fixture
def empty_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write empty figures: to draw them takes most of a short run."""
    for module, plots in _PLOTS.items():
        for plot in plots:
            monkeypatch.setattr(
                f"mnist_lightning.{module}.{plot}", lambda *args, **options: Figure((1, 1))
            )


@pytest.fixture(autouse=True)
def _no_large_files(request: pytest.FixtureRequest) -> Iterator[None]:
    """Delete the large files that a test leaves: exported networks of all tests take 7 GB.

    The folders stay, because TensorBoard's threads may still write into them.
    """
    folder = request.getfixturevalue("tmp_path") if "tmp_path" in request.fixturenames else None
    yield
    for path in folder.rglob("*") if folder else ():
        with suppress(OSError):
            if path.is_file() and path.lstat().st_size > LARGE:
                path.unlink()


@pytest.fixture(autouse=True)
def _restored_loggers() -> Iterator[None]:
    """Undo the changes of a run to the loggers, so that ``caplog`` receives their messages."""
    _reset_loggers()
    yield
    _reset_loggers()


def _reset_loggers() -> None:
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        logger.setLevel(logging.NOTSET)
        logger.propagate = True
        logger.handlers.clear()


def _draw(n: int, seed: int) -> tuple[Pixels, Pixels]:
    """Draw images (n, 28, 28) and labels (n,): a mosaic per class, with noise."""
    mosaics = np.random.default_rng(0).random((10, 7, 7)) < 0.4
    patterns = mosaics.repeat(4, axis=1).repeat(4, axis=2) * 200
    labels = (np.arange(n) % 10).astype(np.uint8)
    rng = np.random.default_rng(seed)
    noise = rng.integers(0, 56, (n, 28, 28))
    return (patterns[labels] + noise).astype(np.uint8), labels


def _as_idx(values: Pixels) -> bytes:
    sizes = struct.pack(f">{values.ndim}I", *values.shape)
    return bytes([0, 0, 8, values.ndim]) + sizes + values.tobytes()


@pytest.fixture(scope="session")
def tiny_data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with IDX files of 400 training and 100 test images, equally many per digit."""
    folder = tmp_path_factory.mktemp("data")
    for prefix, n, seed in (("train", TRAIN, 1), ("t10k", TEST, 2)):
        images, labels = _draw(n, seed)
        (folder / f"{prefix}-images-idx3-ubyte").write_bytes(_as_idx(images))
        (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(_as_idx(labels))
    return folder


@pytest.fixture(scope="session")
def tiny_digits() -> Digits:
    """Fifty images like those of ``tiny_data_dir``, in memory."""
    images, labels = _draw(50, seed=3)
    return Digits(from_numpy(images).unsqueeze(1), from_numpy(labels).long())


@pytest.fixture
def tiny_data(tiny_data_dir: Path) -> MNISTDataModule:
    """The tiny files as a data module: 350, 50 and 100 images, six steps an epoch."""
    from mnist_lightning.data.datamodule import MNISTDataModule

    data = MNISTDataModule(str(tiny_data_dir), batch_size=64)
    data.setup()
    return data


@pytest.fixture
def make_trainer(tmp_path: Path) -> Callable[..., Trainer]:
    """A function that builds a Trainer which writes only what its callbacks write."""
    from lightning import Trainer
    from lightning.pytorch.callbacks import Checkpoint
    from lightning.pytorch.loggers.logger import DummyLogger

    def make(*callbacks: Any, **options: Any) -> Trainer:
        return Trainer(
            callbacks=list(callbacks),
            default_root_dir=tmp_path,
            **{
                "accelerator": "cpu",
                "max_epochs": 1,
                "logger": DummyLogger(),
                "log_every_n_steps": 1,
                # Without a checkpoint callback, Lightning would add its own.
                "enable_checkpointing": any(isinstance(one, Checkpoint) for one in callbacks),
                "enable_progress_bar": False,
                "enable_model_summary": False,
                "num_sanity_val_steps": 0,
                **options,
            },
        )

    return make


@pytest.fixture
def short_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use one block per stage instead of 3, 4, 6 and 3: the same names, a third of the work."""
    from torchvision.models import ResNet
    from torchvision.models.resnet import Bottleneck

    monkeypatch.setattr(
        "mnist_lightning.models.resnet50.resnet50",
        lambda weights=None: ResNet(Bottleneck, [1, 1, 1, 1]),
    )


@pytest.fixture(scope="session")
def mnist_dir() -> Path:
    """The torchvision root of the whole MNIST; for tests marked ``mnist``."""
    root = os.environ.get("MNIST_LIGHTNING_DATA")
    if not root:
        pytest.skip("MNIST_LIGHTNING_DATA does not name a folder with the whole MNIST")
    return Path(root)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """An installed Chromium or Chrome without network access; tests skip if there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("there is no Chromium")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-background-networking"]
        )
        yield browser
        browser.close()
