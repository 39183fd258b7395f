"""Which number of threads a run uses: the user's, the checkpoint's, or torch's."""

import logging
import os
from collections.abc import Iterator

import pytest
import torch

from mnist_lightning.training.history import History
from mnist_lightning.training.thread_count import set_threads


@pytest.fixture(autouse=True)
def _four_cores_and_three_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def _checkpoint(threads: object) -> dict[str, object]:
    return {"callbacks": {History.__qualname__: {"threads": threads}}}


@pytest.mark.parametrize(
    ("wanted", "checkpoint", "expected"),
    [
        (None, None, 3),
        (2, None, 2),
        (None, _checkpoint(1), 1),
        (2, _checkpoint(2), 2),
        # A checkpoint of an earlier version, and ones from a stranger.
        (None, {"callbacks": {}}, 3),
        (None, _checkpoint("many"), 3),
        (None, _checkpoint(-1), 3),
    ],
)
def test_the_choice_comes_before_the_checkpoint_and_that_before_the_default(
    wanted: int | None,
    checkpoint: dict[str, object] | None,
    expected: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        set_threads(wanted, checkpoint)

    assert torch.get_num_threads() == expected
    # Processes that Lightning starts, and its launcher, take the number from here.
    assert os.environ["OMP_NUM_THREADS"] == str(expected)
    assert caplog.records == []


@pytest.mark.parametrize(("wanted", "expected"), [(2, 2), (None, 3)])
def test_a_number_that_cannot_be_used_again_is_a_warning(
    wanted: int | None, expected: int, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        set_threads(wanted, _checkpoint(64))

    assert torch.get_num_threads() == expected
    assert "64 threads" in caplog.text
    assert "to the last bit" in caplog.text


def test_the_history_keeps_the_number_for_a_resumed_run() -> None:
    history, resumed = History(), History()
    history.threads = 5

    resumed.load_state_dict(history.state_dict())

    assert resumed.threads == 5
