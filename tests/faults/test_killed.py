"""A slice of the kill sweep: killed in a chosen moment, resumed, the same to the last bit."""

import sys
from pathlib import Path

import pytest

if sys.platform == "win32":
    pytest.skip("Windows has neither fork nor SIGKILL", allow_module_level=True)

from kill_sweep import kill_and_resume, make_inputs


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sweep")
    make_inputs(folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "place", "number"),
    [
        pytest.param("cnn", "batch", 11, id="CNN within a step of the second epoch"),
        pytest.param("cnn", "checkpoint", 10, id="CNN while the last checkpoint is half written"),
        pytest.param("cnn", "export", 1, id="CNN while the exported file is half written"),
        pytest.param("frozen", "batch", 12, id="frozen"),
        pytest.param("finetune", "batch", 13, id="finetune"),
        pytest.param("scratch", "checkpoint", 7, id="scratch"),
    ],
)
def test_a_killed_run_that_is_resumed_leaves_the_same(
    kind: str, place: str, number: int, folder: Path
) -> None:
    outcome = kill_and_resume(kind, place, number, folder, f"{place}-{number}")

    assert outcome["killed"] == -9
    assert outcome["resumed"]
    assert outcome["status"] == 0
    assert outcome["different"] == []
