import copy
import json
import re
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from schemas import dataclasses_within, described

from mnist_lightning.errors import OutputError
from mnist_lightning.files.identity import describe_file
from mnist_lightning.files.json_document import to_json
from mnist_lightning.records import record as module
from mnist_lightning.records.record import SCHEMA_VERSION, Record, read_record

GOLDEN = Path(__file__).with_name("record_v3.json")


@pytest.fixture
def document() -> dict[str, Any]:
    return json.loads(GOLDEN.read_text(encoding="utf-8"))


SCHEMA = sorted(dataclasses_within(Record), key=lambda kind: kind.__name__)


@pytest.mark.parametrize("kind", SCHEMA, ids=lambda kind: kind.__name__)
def test_every_key_is_documented_and_nothing_else(kind: Any) -> None:
    assert sorted(described(kind)) == sorted(field.name for field in fields(kind))


def test_schema_walk_reaches_every_part() -> None:
    assert {"Record", "Interval", "Confusion", "BatchLatency", "FileDescription"} <= {
        kind.__name__ for kind in SCHEMA
    }


def test_golden_record_is_read_and_written_back_byte_for_byte() -> None:
    # Fails when a key is added, removed or renamed: raise SCHEMA_VERSION, add a golden file.
    text = GOLDEN.read_text(encoding="utf-8")
    assert to_json(read_record(GOLDEN)) == text
    assert SCHEMA_VERSION == 3


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("best_epoch", [13, 15], ids=["an earlier epoch", "the last epoch"])
def test_record_of_an_older_version_is_read_without_what_it_did_not_have(
    version: int, best_epoch: int, tmp_path: Path
) -> None:
    document = json.loads(GOLDEN.with_name(f"record_v{version}.json").read_text())
    document["training"]["best_epoch"] = best_epoch
    expected = read_record(GOLDEN)
    expected = replace(expected, model=replace(expected.model, temperature=None))
    if version == 1:
        expected = replace(
            expected,
            model=replace(expected.model, weights_file=None),
            training=replace(expected.training, threads=None),
        )
    if best_epoch == 13:
        # The loss of the epoch that was exported is not that of the last one.
        training = replace(expected.training, train_loss=None, train_accuracy=None)
        expected = replace(expected, training=training)
    assert read_record(write(tmp_path / "m.json", document)) == expected


def test_values_of_the_golden_record_arrive_in_their_fields() -> None:
    record = read_record(GOLDEN)
    assert record.model.parameters.total == 94_410
    assert record.model.hyperparameters["widths"] == [32, 64, 128]
    assert record.training.command == ("scripts/train.py", "--model", "cnn")
    assert record.test.confusion_matrix[0][0] == record.test.per_class[0].support - 3
    assert record.environment.gpu is None


def test_rows_of_numbers_are_on_one_line_and_text_is_unchanged() -> None:
    golden = read_record(GOLDEN)
    title = "A [\n 1,\n 2 ] title"
    text = to_json(replace(golden, model=replace(golden.model, title=title)))
    row = ", ".join(map(str, golden.test.confusion_matrix[3]))
    assert f"      [{row}],\n" in text
    assert json.loads(text)["model"]["title"] == title
    assert text.endswith("}\n")


def test_written_record_is_read_back_equal_and_is_the_only_file(tmp_path: Path) -> None:
    golden = read_record(GOLDEN)
    path = tmp_path / "new" / "custom_cnn_metrics.json"
    golden.write(path)
    assert read_record(path) == golden
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_command_line_with_undecodable_bytes_is_written_and_read_back(tmp_path: Path) -> None:
    golden = read_record(GOLDEN)
    odd = replace(golden, training=replace(golden.training, command=("--output_dir", "\udcff")))
    odd.write(tmp_path / "m.json")
    assert read_record(tmp_path / "m.json") == odd


def test_infinity_written_as_a_large_exponent_is_refused(tmp_path: Path) -> None:
    text = GOLDEN.read_text(encoding="utf-8").replace("512.4", "1e999")
    (tmp_path / "m.json").write_text(text, encoding="utf-8")
    with pytest.raises(OutputError, match=r"training\.seconds must be a number, not inf"):
        read_record(tmp_path / "m.json")


def test_number_that_is_not_finite_is_refused_before_the_old_file_is_touched(
    tmp_path: Path,
) -> None:
    golden = read_record(GOLDEN)
    path = tmp_path / "metrics.json"
    golden.write(path)
    broken = replace(golden, training=replace(golden.training, seconds=float("nan")))
    with pytest.raises(ValueError, match="JSON compliant"):
        broken.write(path)
    assert read_record(path) == golden


def test_the_record_of_an_ensemble_describes_its_members(
    tmp_path: Path, document: dict[str, Any]
) -> None:
    assert read_record(GOLDEN).members is None
    path = tmp_path / "custom_cnn_ensemble_metrics.json"
    document["training"]["seed"] = None
    with pytest.raises(
        OutputError,
        match=r"model\.hyperparameters\.class_path is missing; make it with "
        r"`python scripts/ensemble\.py --model custom_cnn` again",
    ):
        read_record(write(path, document))
    document["model"]["hyperparameters"] = {
        "class_path": "mnist_lightning.models.cnn.CNN",
        "hyperparameters": {"widths": [4]},
        "seeds": [3, 4],
        "files": ["c" * 64, "d" * 64],
    }
    record = read_record(write(path, document))
    assert record.members is not None
    assert record.members.seeds == (3, 4)
    record.write(path)
    assert read_record(path) == record


def write(path: Path, document: object) -> Path:
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def test_missing_record_is_refused_with_the_command_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"no record .*m\.json.*train\.py --model resnet50`"):
        read_record(tmp_path / "m.json", preset="resnet50")


def test_other_schema_version_is_refused_with_both_versions(
    tmp_path: Path, document: dict[str, Any]
) -> None:
    document["schema_version"] = 7
    document["test"] = "something new"
    with pytest.raises(OutputError, match="schema version 7; this program reads version 3"):
        read_record(write(tmp_path / "m.json", document))


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (("schema_version",), "1", "schema_version must be an integer"),
        (("schema_version",), True, "schema_version must be an integer"),
        (("test", "interval", "low"), None, "test.interval.low must be a number, not None"),
        (("test", "interval", "lower"), 0.1, "test.interval.lower is unknown"),
        (("test", "per_class"), [3], "test.per_class[0] must be an object, not 3"),
        (("environment", "versions", "torch"), 2, "environment.versions.torch must be a string"),
        (("trainer_test", "test/loss"), "low", "trainer_test.test/loss must be a number"),
        pytest.param(
            ("training", "seconds"), 10**400, "training.seconds must be a number", id="huge"
        ),
        (("predictions", "name"), "../../x", "predictions.name must be a file name without"),
        (("model", "file", "name"), "/etc/passwd", "model.file.name must be a file name without"),
        (("model", "file", "sha256"), "0", "model.file.sha256 must be 64 hexadecimal digits"),
        (("model", "name"), "../x", "model.name must be a name such as custom_cnn"),
        (("model", "title"), "\ud800", "model.title must be one line of printable text"),
        (("model", "title"), "a\x1b[2Jb", "model.title must be one line of printable text"),
        (("model", "hyperparameters", "widths"), [10**16], "hyperparameters.widths must be from"),
        (("dataset", "fingerprint"), "x", "dataset.fingerprint must be 64 hexadecimal digits"),
        (("training", "seed"), -1, "training.seed must be from 0 to 4,294,967,295, not -1"),
        (("training", "epochs"), -1, "training.epochs must be from 0"),
        (("training", "command"), ["\ud800"], "training.command[0] must be text"),
        (("test", "accuracy"), 1.5, "test.accuracy must be from 0 to 1, not 1.5"),
        (("test", "correct"), -1, "test.correct must be from 0"),
        (("test", "per_class"), [], "test.per_class must have a length from 10 to 10, not 0"),
        (("test", "confusion_matrix"), [[1]] * 10, "confusion_matrix[0] must have a length"),
        (("test", "most_confused"), [{"true": 10, "predicted": 1, "count": 1}], "true must be"),
        (("latency", "single", "p50_ms"), -0.1, "latency.single.p50_ms must be from 0"),
        (("environment", "processor"), "x\0", "environment.processor must be printable text"),
    ],
)
def test_wrong_value_is_refused_by_its_dotted_key(
    tmp_path: Path, document: dict[str, Any], keys: tuple[str, ...], value: object, message: str
) -> None:
    part = document
    for key in keys[:-1]:
        part = part[key]
    part[keys[-1]] = value
    with pytest.raises(OutputError, match=re.escape(message)):
        read_record(write(tmp_path / "m.json", document))


def keys_of(document: dict[str, Any], prefix: str = "") -> list[str]:
    free = ("model.hyperparameters", "trainer_test", "environment.versions")
    return [
        name
        for key, value in document.items()
        for name in [
            prefix + key,
            *(
                keys_of(value, f"{prefix}{key}.")
                if isinstance(value, dict) and prefix + key not in free
                else []
            ),
        ]
    ]


def test_no_key_may_be_missing(tmp_path: Path, document: dict[str, Any]) -> None:
    names = keys_of(document)
    assert len(names) > 70
    for name in names:
        changed = copy.deepcopy(document)
        *folders, last = name.split(".")
        part = changed
        for key in folders:
            part = part[key]
        del part[last]
        with pytest.raises(OutputError, match=re.escape(f"{name} is missing")):
            read_record(write(tmp_path / "m.json", changed))


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe", b'{"a": NaN}', b"[" * 100_000, b"null", b"[]", b'"record"'],
    ids=["empty", "cut", "binary", "nan", "deep", "null", "list", "string"],
)
def test_file_that_is_not_a_record_is_refused_with_its_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "custom_cnn_metrics.json"
    path.write_bytes(content)
    with pytest.raises(OutputError, match=r"custom_cnn_metrics\.json is not a .*--model cnn"):
        read_record(path, preset="cnn")


def test_folder_in_its_place_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be read"):
        read_record(tmp_path)


def test_file_is_described_by_name_size_and_hash(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    path.write_bytes(b"abc")
    description = describe_file(path)
    assert (description.name, description.bytes) == ("model.pt", 3)
    # The test vector of FIPS 180-2.
    assert description.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_failed_write_keeps_the_old_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    golden = read_record(GOLDEN)
    path = tmp_path / "m.json"
    golden.write(path)

    def full(self: Path, *args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.Path, "write_text", full)
    with pytest.raises(OSError, match="No space"):
        replace(golden, trainer_test={}).write(path)
    assert read_record(path) == golden
    assert len(list(tmp_path.iterdir())) == 1
