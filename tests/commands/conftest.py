"""The output folder of a user after two trainings."""

import shutil
from pathlib import Path

import pytest
from comparison_inputs import write_model


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, tiny_data_dir: Path) -> Path:
    """The files of two trainings, never changed."""
    folder = tmp_path_factory.mktemp("trained")
    write_model(folder, tiny_data_dir, "custom_cnn", noise=0.3)
    write_model(folder, tiny_data_dir, "resnet50", noise=1.5)
    return folder


@pytest.fixture
def output(trained: Path, tmp_path: Path) -> Path:
    """A copy of them for one test."""
    return Path(shutil.copytree(trained, tmp_path / "output"))
