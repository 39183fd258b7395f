import contextlib
import logging
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn

from mnist_lightning.errors import UserError
from mnist_lightning.models import CNNClassifier
from mnist_lightning.training.checkpoints import (
    AtomicCheckpointIO,
    check_fits,
    find_checkpoint,
    read_checkpoint,
)
from mnist_lightning.training.run_logger import RunLogger


class Attack:
    """A pickle that makes a folder when it is loaded."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.target),)


def _save(path: Path, age: int = 0, **content: Any) -> Path:
    """Save a small checkpoint that is ``age`` seconds older than others."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(
        {"state_dict": {"w": torch.arange(9.0)}, "loops": {}, "global_step": 3} | content, path
    )
    time = 1_700_000_000 - age
    os.utime(path, (time, time))
    return path


def _truncate(path: Path) -> None:
    time = path.stat().st_mtime_ns
    path.write_bytes(path.read_bytes()[:-200])
    os.utime(path, ns=(time, time))


# Folders and events


def test_each_run_takes_a_folder_of_its_own(tmp_path: Path) -> None:
    # Both start before either has written a file.
    first, second = RunLogger(tmp_path, "cnn"), RunLogger(tmp_path, "cnn")

    assert first.log_dir == str(tmp_path / "cnn" / "version_0")
    assert second.log_dir == str(tmp_path / "cnn" / "version_1")
    assert Path(second.log_dir).is_dir()


def test_a_folder_that_another_run_has_just_created_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The other run creates its folder after this one has listed them.
    (tmp_path / "cnn" / "version_0").mkdir(parents=True)
    monkeypatch.setattr(
        "lightning.pytorch.loggers.TensorBoardLogger._get_next_version", lambda _: 0
    )

    assert RunLogger(tmp_path, "cnn").version == 1


def test_a_run_that_is_continued_keeps_its_folder(tmp_path: Path) -> None:
    RunLogger(tmp_path, "cnn").log_metrics({"loss": 1.0}, step=1)

    assert RunLogger(tmp_path, "cnn", version=0).log_dir == str(tmp_path / "cnn" / "version_0")


def test_a_resumed_run_logs_no_step_twice(tmp_path: Path) -> None:
    first = RunLogger(tmp_path, "cnn")
    for step in (6, 12, 18):
        first.log_metrics({"loss": float(step)}, step=step)
    first.experiment.close()

    # The checkpoint is of step 12, so the later steps are repeated.
    second = RunLogger(tmp_path, "cnn", version=0, purge_step=13)
    for step in (18, 24):
        second.log_metrics({"loss": -float(step)}, step=step)
    second.experiment.close()

    accumulator = EventAccumulator(first.log_dir)
    accumulator.Reload()
    found = [(scalar.step, scalar.value) for scalar in accumulator.Scalars("loss")]
    assert found == [(6, 6.0), (12, 12.0), (18, -18.0), (24, -24.0)]


def test_only_an_event_file_is_written_and_it_stays_open_for_the_figures(tmp_path: Path) -> None:
    logger = RunLogger(tmp_path, "cnn")
    logger.log_hyperparams({"seed": 1})
    logger.log_metrics({"loss": 1.0}, step=1)
    logger.save()
    logger.finalize("success")
    logger.log_metrics({"loss": 0.5}, step=2)
    logger.finalize("success")

    (file,) = (path for path in tmp_path.rglob("*") if path.is_file())
    assert file.name.startswith("events.out.tfevents.")
    accumulator = EventAccumulator(logger.log_dir)
    accumulator.Reload()
    assert [scalar.step for scalar in accumulator.Scalars("loss")] == [1, 2]


# Writing the last two


def _checkpoint_of(step: int) -> dict[str, Any]:
    return {"state_dict": {"w": torch.arange(9.0)}, "loops": {}, "global_step": step}


def _steps(folder: Path) -> dict[str, int]:
    return {path.name: read_checkpoint(path)["global_step"] for path in folder.glob("*.ckpt")}


def test_each_checkpoint_keeps_the_one_before_it(tmp_path: Path) -> None:
    writer, last = AtomicCheckpointIO(), tmp_path / "last.ckpt"
    for step in (1, 2, 3):
        writer.save_checkpoint(_checkpoint_of(step), last)
        writer.save_checkpoint(_checkpoint_of(10), tmp_path / "another.ckpt")

    assert _steps(tmp_path) == {"last.ckpt": 3, "previous.ckpt": 2, "another.ckpt": 10}


@pytest.mark.parametrize("name", ["last.ckpt", "previous.ckpt"])
def test_a_resumed_run_keeps_the_checkpoint_that_it_was_resumed_from(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _save(tmp_path / "last.ckpt", global_step=6)
    _save(tmp_path / "previous.ckpt", global_step=3)
    if name == "previous.ckpt":
        _truncate(tmp_path / "last.ckpt")
    monkeypatch.chdir(tmp_path)
    writer = AtomicCheckpointIO()
    # The folder of a run is named by different paths in a resumed process.
    resumed = writer.load_checkpoint(Path(name), weights_only=True)["global_step"]

    writer.save_checkpoint(_checkpoint_of(7), tmp_path / "last.ckpt")

    assert _steps(tmp_path) == {"last.ckpt": 7, "previous.ckpt": resumed}


@pytest.mark.parametrize("moment", range(1, 5))
def test_a_valid_checkpoint_is_there_at_every_moment_of_writing_one(
    moment: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        """As SIGKILL, except that the temporary file is deleted."""

    checkpoints = tmp_path / "version_0" / "checkpoints"
    writer = AtomicCheckpointIO()
    for step in (1, 2):
        writer.save_checkpoint(_checkpoint_of(step), checkpoints / "last.ckpt")
    passed, replace = [], Path.replace

    def pass_by() -> None:
        passed.append(1)
        if len(passed) == moment:
            raise Killed

    def replace_slowly(self: Path, target: Path) -> Path:
        pass_by()
        moved = replace(self, target)
        pass_by()
        return moved

    monkeypatch.setattr(Path, "replace", replace_slowly)
    with pytest.raises(Killed):
        writer.save_checkpoint(_checkpoint_of(3), checkpoints / "last.ckpt")

    found = read_checkpoint(find_checkpoint(tmp_path, "last"))
    assert found["global_step"] == (3 if moment == 4 else 2)


# Finding a checkpoint


def test_the_newest_checkpoint_of_all_runs_is_found(tmp_path: Path) -> None:
    _save(tmp_path / "version_0/checkpoints/last.ckpt", age=10)
    newest = _save(tmp_path / "version_3/checkpoints/last.ckpt")
    _save(tmp_path / "version_10/checkpoints/last.ckpt", age=20)
    _save(tmp_path / "version_10/checkpoints/previous.ckpt", age=30)

    assert find_checkpoint(tmp_path, "last") == newest


@pytest.mark.parametrize("age", [0, 10], ids=["as old", "older"])
def test_the_previous_checkpoint_is_found_only_if_there_is_no_valid_last_one(
    age: int, tmp_path: Path
) -> None:
    last = _save(tmp_path / "version_0/checkpoints/last.ckpt")
    previous = _save(tmp_path / "version_0/checkpoints/previous.ckpt", age=age)

    assert find_checkpoint(tmp_path, "last") == last
    _truncate(last)
    assert find_checkpoint(tmp_path, "last") == previous
    last.unlink()
    assert find_checkpoint(tmp_path, "last") == previous


def test_a_truncated_newest_checkpoint_is_skipped_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    valid = _save(tmp_path / "version_0/checkpoints/last.ckpt", age=10)
    truncated = _save(tmp_path / "version_1/checkpoints/last.ckpt")
    _truncate(truncated)

    with caplog.at_level(logging.WARNING):
        assert find_checkpoint(tmp_path, "last") == valid

    (message,) = caplog.messages
    assert f"{truncated} is damaged" in message
    assert message.endswith("; skipping it")


def test_no_checkpoint_at_all_is_an_error_that_names_the_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--ckpt_path last: there is no valid checkpoint") as caught:
        find_checkpoint(tmp_path / "runs", "last")

    assert str(tmp_path / "runs") in str(caught.value)


def test_damaged_checkpoints_alone_are_an_error_as_well(tmp_path: Path) -> None:
    _truncate(_save(tmp_path / "version_0/checkpoints/last.ckpt"))

    with pytest.raises(UserError, match="there is no valid checkpoint"):
        find_checkpoint(tmp_path, "last")


def test_a_named_checkpoint_is_used(tmp_path: Path) -> None:
    _save(tmp_path / "version_0/checkpoints/last.ckpt")
    path = _save(tmp_path / "mine.ckpt", age=10)

    assert find_checkpoint(tmp_path, str(path)) == path


# Reading a checkpoint


def test_a_valid_checkpoint_is_read(tmp_path: Path) -> None:
    content = read_checkpoint(_save(tmp_path / "one.ckpt"))

    assert torch.equal(content["state_dict"]["w"], torch.arange(9.0))
    assert content["global_step"] == 3


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _text(path: Path) -> None:
    path.write_text("<!DOCTYPE html><title>404</title>")


def _archive(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("notes.txt", "nothing")


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("damage", [_truncate, _empty, _text, _archive, _folder])
def test_a_damaged_checkpoint_is_refused_in_one_line_with_its_name(
    damage: Any, tmp_path: Path
) -> None:
    path = _save(tmp_path / "one.ckpt")
    damage(path)

    with pytest.raises(UserError, match=r"--ckpt_path: .*one\.ckpt is damaged") as caught:
        read_checkpoint(path)

    assert "\n" not in str(caught.value)


def test_a_missing_checkpoint_is_refused_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"--ckpt_path: there is no file .*none\.ckpt"):
        read_checkpoint(tmp_path / "none.ckpt")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param({"w": torch.zeros(2)}, id="weights alone"),
        pytest.param(torch.zeros(2), id="a tensor"),
        pytest.param({"state_dict": [1, 2], "loops": {}, "global_step": 1}, id="a list of weights"),
        pytest.param({"state_dict": {}, "loops": {}}, id="no step"),
    ],
)
def test_a_file_that_is_not_a_training_checkpoint_is_refused(content: Any, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "one.ckpt")

    with pytest.raises(UserError, match=r"one\.ckpt is not a training checkpoint"):
        read_checkpoint(tmp_path / "one.ckpt")


@pytest.mark.parametrize("bare", [True, False], ids=["bare pickle", "archive of torch"])
def test_code_in_a_checkpoint_does_not_run(bare: bool, tmp_path: Path) -> None:
    path, target = tmp_path / "one.ckpt", tmp_path / "attacked"
    if bare:
        path.write_bytes(pickle.dumps({"state_dict": Attack(target), "loops": {}}))
    else:
        _save(path, state_dict=Attack(target))

    with pytest.raises(UserError, match="contains code and was not loaded"):
        read_checkpoint(path)

    assert not target.exists()
    # The attack works if the file is loaded without protection.
    if bare:
        pickle.loads(path.read_bytes())
    else:
        torch.load(path, weights_only=False)
    assert target.exists()


@settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_damage_raises_nothing_but_a_user_error(data: st.DataObject, tmp_path: Path) -> None:
    path = _save(tmp_path / "one.ckpt")
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])

    with contextlib.suppress(UserError):
        # Damage to padding does not change the content.
        assert torch.equal(read_checkpoint(path)["state_dict"]["w"], torch.arange(9.0))


# Fitting a checkpoint to a model


def _classifier(*widths: int, convs: int = 1) -> CNNClassifier:
    return CNNClassifier(widths=list(widths), convs_per_stage=convs)


def _checkpoint(model: nn.Module) -> dict[str, Any]:
    return {"state_dict": model.state_dict()}


def test_a_checkpoint_of_the_same_model_fits() -> None:
    check_fits(_checkpoint(_classifier(4, 8)), Path("one.ckpt"), _classifier(4, 8))


@pytest.mark.parametrize(
    ("model", "difference"),
    [
        (
            _classifier(4, 16),
            r"'network.features.4.weight' is \(8, 4, 3, 3\) in the checkpoint and "
            r"\(16, 4, 3, 3\) in the model",
        ),
        (_classifier(4), r"'network.features.4.weight' is only in the checkpoint"),
        (_classifier(4, 8, 8), r"'network.features.8.weight' is only in the model"),
    ],
)
def test_a_checkpoint_of_another_model_is_refused_with_the_tensor_that_differs(
    model: nn.Module, difference: str
) -> None:
    before = {name: value.clone() for name, value in model.state_dict().items()}

    with pytest.raises(UserError, match=f"one.ckpt is of another model: .*{difference}"):
        check_fits(_checkpoint(_classifier(4, 8)), Path("one.ckpt"), model)

    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_a_weight_that_is_not_a_tensor_is_refused_with_its_name() -> None:
    model = _classifier(4)
    weights = {**model.state_dict(), "network.head.weight": 5}

    with pytest.raises(UserError, match=r"'network\.head\.weight' is"):
        check_fits({"state_dict": weights}, Path("one.ckpt"), model)
