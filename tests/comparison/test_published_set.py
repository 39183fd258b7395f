"""Finished runs are published as one checked set, or not at all."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from comparison_inputs import write_model

from mnist_lightning.comparison.published_set import CURVES, DESCRIPTIONS, publish
from mnist_lightning.errors import OutputError
from mnist_lightning.records.record import Record, read_record

Change = Callable[[Record], Record]
NAME = "custom_cnn"


def _finish(
    output: Path, name: str, data_dir: Path, change: Change = lambda record: record
) -> None:
    """Write what a finished run has: of the whole MNIST and from a clean commit."""
    record = write_model(output, data_dir, name, 0.1)
    record = replace(
        record,
        dataset=replace(record.dataset, name="MNIST", is_standard=True),
        training=replace(record.training, commit="a" * 40),
        environment=replace(record.environment, commit="a" * 40, dirty=False),
    )
    change(record).write(output / f"{name}_metrics.json")
    for end in (*DESCRIPTIONS, CURVES):
        path = output / f"{name}{end}"
        if not path.exists():
            path.write_text(end)


@pytest.fixture
def output(tmp_path: Path, tiny_data_dir: Path) -> Path:
    folder = tmp_path / "output"
    _finish(folder, NAME, tiny_data_dir)
    return folder


def test_a_finished_run_is_copied_with_its_model(output: Path, tmp_path: Path) -> None:
    done = publish(output, tmp_path / "published")

    names = {path.name for path in done.copied}
    assert names == {f"{NAME}{end}" for end in (*DESCRIPTIONS, CURVES, "_model.pt")}
    assert done.left_out == ()
    for name in names:
        assert (tmp_path / "published" / name).read_bytes() == (output / name).read_bytes()


def test_weights_of_a_resnet50_are_left_out(
    output: Path, tmp_path: Path, tiny_data_dir: Path
) -> None:
    def of_a_resnet(record: Record) -> Record:
        path = "mnist_lightning.models.resnet50.ResNet50"
        return replace(record, model=replace(record.model, class_path=path))

    _finish(output, "resnet50", tiny_data_dir, of_a_resnet)

    done = publish(output, tmp_path / "published")

    names = {path.name for path in done.copied if path.name.startswith("resnet50")}
    assert names == {f"resnet50{end}" for end in (*DESCRIPTIONS, CURVES)}
    assert done.left_out == ("resnet50_model.pt: weights of a ResNet50 are not published",)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            lambda one: replace(one, environment=replace(one.environment, dirty=True)),
            "not made from a clean commit",
        ),
        (
            lambda one: replace(one, training=replace(one.training, commit=None)),
            "not made from a clean commit",
        ),
        (
            lambda one: replace(one, dataset=replace(one.dataset, is_standard=False)),
            "only results on the whole MNIST",
        ),
    ],
)
def test_a_run_that_nobody_can_repeat_or_compare_is_refused(
    change: Change, problem: str, output: Path, tmp_path: Path
) -> None:
    path = output / f"{NAME}_metrics.json"
    change(read_record(path)).write(path)

    with pytest.raises(OutputError, match=problem):
        publish(output, tmp_path / "published")

    assert not (tmp_path / "published").exists()


@pytest.mark.parametrize("end", [*DESCRIPTIONS[1:], CURVES, "_model.pt"])
def test_an_incomplete_run_is_refused_before_anything_is_copied(
    end: str, output: Path, tmp_path: Path
) -> None:
    (output / f"{NAME}{end}").unlink()

    with pytest.raises(OutputError, match=f"{NAME}{end}"):
        publish(output, tmp_path / "published")

    assert not (tmp_path / "published").exists()


def test_a_large_file_is_left_out_and_named(
    output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mnist_lightning.comparison.published_set.MAX_BYTES", 20_000)

    done = publish(output, tmp_path / "published")

    assert f"{NAME}_model.pt" not in {path.name for path in done.copied}
    assert any(line.startswith(f"{NAME}_model.pt: larger than") for line in done.left_out)


def test_without_a_finished_run_there_is_nothing_to_publish(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="no finished run"):
        publish(tmp_path, tmp_path / "published")
