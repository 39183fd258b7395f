"""The folder of a user after two trainings, a guard against hanging, and no network."""

import faulthandler
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from comparison_inputs import write_model, write_seeds
from drawn_pages import as_image, draw_page

# A guard against what would hang, not a measurement: it ends the whole process with a traceback.
HANG_SECONDS = 120.0


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, tiny_data_dir: Path) -> Path:
    """A folder as a user has it after two trainings, one of them with two seeds."""
    folder = tmp_path_factory.mktemp("user")
    shutil.copytree(tiny_data_dir, folder / "data")
    write_model(folder / "output", tiny_data_dir, "custom_cnn", noise=0.3)
    write_model(folder / "output", tiny_data_dir, "resnet50", noise=1.5)
    write_seeds(folder / "output", tiny_data_dir, (0, 1))
    as_image(draw_page(["01234"])).save(folder / "page.png")
    (folder / "report.md").write_text("# Report\n")
    (folder / "empty").mkdir()
    return folder


@pytest.fixture
def user(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that folder, which is the current one."""
    folder = Path(shutil.copytree(trained, tmp_path / "user"))
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mnist_lightning.data.mirrors.MIRRORS", ("http://127.0.0.1:9/",))


@pytest.fixture
def _no_hang() -> Iterator[None]:
    faulthandler.dump_traceback_later(HANG_SECONDS, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()
