import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from schemas import dataclasses_within, described

from mnist_lightning.comparison.schema import COMPARISON_VERSION, Comparison, read_comparison
from mnist_lightning.errors import OutputError
from mnist_lightning.files.json_document import to_json

GOLDEN = Path(__file__).with_name("comparison_v3.json")


SCHEMA = sorted(dataclasses_within(Comparison), key=lambda kind: kind.__name__)


@pytest.mark.parametrize("kind", SCHEMA, ids=lambda kind: kind.__name__)
def test_exactly_the_keys_of_a_comparison_are_documented(kind: Any) -> None:
    assert sorted(described(kind)) == sorted(field.name for field in fields(kind))


def test_schema_contains_every_part_of_a_comparison() -> None:
    names = {kind.__name__ for kind in SCHEMA}
    parts = {"Agreement", "Calibration", "PeakMemory", "LatencyPoint", "SeedTest"}
    assert parts | {"ModelPrediction"} <= names


def test_golden_comparison_is_read_and_written_back_byte_for_byte() -> None:
    # Fails when a key is added, removed or renamed: raise the version, add a golden file.
    assert to_json(read_comparison(GOLDEN)) == GOLDEN.read_text(encoding="utf-8")
    assert COMPARISON_VERSION == 3


def test_a_comparison_of_another_version_is_refused_with_the_remedy(tmp_path: Path) -> None:
    document = json.loads(GOLDEN.read_text(encoding="utf-8"))
    path = tmp_path / "comparison.json"
    path.write_text(json.dumps({**document, "schema_version": 2}), encoding="utf-8")

    with pytest.raises(OutputError, match=r"version 2.*reads version 3: make it with `python"):
        read_comparison(path)


def test_values_of_the_golden_comparison_are_consistent() -> None:
    golden = read_comparison(GOLDEN)
    first, second = golden.models
    (pair,) = golden.pairs
    table = pair.agreement
    assert table.n == golden.dataset.test == 10_000
    assert table.both_right + table.only_first == first.test.correct
    assert table.both_right + table.only_second == second.test.correct
    assert table.discordant == golden.disputed_total
    assert pair.difference == pytest.approx(second.test.accuracy - first.test.accuracy)
    assert first.calibration.raw.nll == pytest.approx(first.test.loss, rel=1e-4)
    assert golden.title("resnet50") == second.title
    assert golden.baseline_pairs == (pair,)
    assert first.point(1, 32).batch_size == 32


def test_written_comparison_is_read_back_equal(tmp_path: Path) -> None:
    golden = read_comparison(GOLDEN)
    changed = replace(
        golden, pairs=(replace(golden.pairs[0], interval=None, kappa=None),), disputed=()
    )
    changed.write(tmp_path / "new" / "model_comparison.json")
    assert read_comparison(tmp_path / "new" / "model_comparison.json") == changed


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not a JSON file"),
        ("[" * 100_000, "is not a JSON file"),
        ("[]", "must be an object"),
        ('{"schema_version": 7}', "has schema version 7; this program reads version 3"),
        ('{"schema_version": 3}', "dataset is missing"),
    ],
    ids=["cut", "deep", "list", "version", "keys"],
)
def test_file_that_is_not_a_comparison_is_refused_with_the_remedy(
    tmp_path: Path, content: str, message: str
) -> None:
    path = tmp_path / "model_comparison.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(OutputError, match=rf"{message}.*compare\.py"):
        read_comparison(path)


def test_missing_file_and_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"no comparison .*compare\.py"):
        read_comparison(tmp_path / "model_comparison.json")
    with pytest.raises(OutputError, match="cannot be read"):
        read_comparison(tmp_path)


def test_value_of_the_wrong_type_is_refused_by_its_key(tmp_path: Path) -> None:
    document = json.loads(GOLDEN.read_text(encoding="utf-8"))
    document["models"][1]["cost"]["multiply_accumulates"] = "many"
    path = tmp_path / "c.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(OutputError, match=r"models\[1\]\.cost\.multiply_accumulates must be"):
        read_comparison(path)
