"""Values of the right type that no document of this program can have."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pytest

from mnist_lightning.errors import UserError
from mnist_lightning.files.config_file import check_config, check_values
from mnist_lightning.files.json_document import decode
from mnist_lightning.files.limits import (
    Argument,
    Change,
    Count,
    DecodingError,
    Digit,
    FileName,
    Name,
    NotNegative,
    Seed,
    Sha256,
    Share,
    Title,
    Within,
)


@dataclass(frozen=True)
class Document:
    share: Share
    pair: Annotated[tuple[Count, ...], Within(2, 2)]
    digit: Digit | None
    extra: dict[str, object]


VALID = {"share": 0.5, "pair": [1, 2], "digit": 9, "extra": {"widths": [8, 16], "p": None}}


def test_valid_values_are_read() -> None:
    assert decode(Document, VALID) == Document(0.5, (1, 2), 9, VALID["extra"])  # type: ignore[arg-type]
    assert decode(Document, {**VALID, "digit": None, "share": 1}).share == 1.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"share": 1.01}, "share must be from 0 to 1, not 1.01"),
        ({"share": -1}, "share must be from 0 to 1, not -1.0"),
        ({"share": float("inf")}, "share must be a number, not inf"),
        ({"pair": [1]}, "pair must have a length from 2 to 2, not 1"),
        ({"pair": [1, -1]}, r"pair\[1\] must be from 0 to 1,000,000,000,000,000, not -1"),
        ({"pair": [1, 10**4000]}, r"pair\[1\] must be from 0 .* not a longer number"),
        ({"digit": 10}, "digit must be from 0 to 9, not 10"),
        ({"extra": {"a": [{"b": 10**16}]}}, "extra.a must be from .* not 10,000,000,000,000,000"),
        ({"extra": {"a": "\ud800"}}, "extra.a must be text of whole characters"),
        ({"extra": {"\ud800": 1}}, "extra must be text of whole characters"),
    ],
)
def test_implausible_value_is_refused_with_its_key(
    changes: dict[str, object], message: str
) -> None:
    with pytest.raises(DecodingError, match=message):
        decode(Document, {**VALID, **changes})


@pytest.mark.parametrize(
    ("kind", "valid", "wrong"),
    [
        (str, ["", "ö 7\n\t", "x" * 10_000], ["\x1b[31m", "a\0", "\ud800", "\udcff", "x" * 10_001]),
        (Title, ["Custom CNN", "ResNet50 (fine-tuned)"], ["", "a\nb", "\ud800", "\x9b", "x" * 201]),
        (Argument, ["--name", "\udcff", "a\nb"], ["\0", "\ud800", "\udfff", "x" * 100_001]),
        (Name, ["custom_cnn", "a.b-c"], ["", "../x", "a/b", ".x", "a b", "x" * 102]),
        (FileName, ["custom_cnn_model.pt"], ["", "../../x", "a/b", "a\\b", "/etc/passwd", ".."]),
        (Sha256, ["0" * 64], ["0" * 63, "g" * 64, "0" * 64 + "\n"]),
        (int, [10**15, -(10**15)], [10**15 + 1]),
        (Seed, [0, 2**32 - 1], [-1, 2**32]),
        (Change, [-1, 1], [-1.1, 1.1]),
        (NotNegative, [0, 1e15], [-1e-9, 1e16]),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_types_of_fields(kind: object, valid: list[object], wrong: list[object]) -> None:
    for value in valid:
        assert decode(kind, value, "key") == value
    for value in wrong:
        with pytest.raises(DecodingError, match=r"key must be "):
            decode(kind, value, "key")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"data": {"batch_size": 16**500}}, "--data.batch_size must be .* not a longer number"),
        ({"model": {"widths": [8, -(2**53)]}}, "--model.widths must be from"),
        ({"name": "a\0b"}, "--name must be text of whole characters"),
        ({"trainer": {"callbacks": [{"init_args": {"x": "\ud800"}}]}}, "--trainer.callbacks.init"),
    ],
)
def test_implausible_setting_is_refused_with_its_option(
    settings: dict[str, object], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        check_values(settings)


def test_plausible_settings_are_accepted() -> None:
    check_values({"seed": 2**32 - 1, "data": {"dir": "\udcff", "none": None, "rate": 1e300}})


@pytest.mark.parametrize("value", ["9" * 5000, f"'{'x' * 5000}'", f"? {'9' * 5000}\n: 1"])
def test_value_of_thousands_of_characters_in_a_configuration_is_refused(
    value: str, tmp_path: Path
) -> None:
    path = tmp_path / "my.yaml"
    path.write_text(f"data:\n  batch_size: {value}\n" if value[0] != "?" else value)
    with pytest.raises(UserError, match="contains a value of 5,000 characters"):
        check_config(path)
