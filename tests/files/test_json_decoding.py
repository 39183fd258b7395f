from dataclasses import asdict, dataclass

import pytest

from mnist_lightning.files.json_document import DecodingError, decode


@dataclass(frozen=True)
class Inner:
    share: float
    note: str | None


@dataclass(frozen=True)
class Outer:
    count: int
    flag: bool
    inner: Inner
    rows: tuple[tuple[int, ...], ...]
    versions: dict[str, str]
    extra: dict[str, object]


DOCUMENT = {
    "count": 1,
    "flag": True,
    "inner": {"share": 0.5, "note": None},
    "rows": [[1, 2], [3, 4]],
    "versions": {"torch": "2"},
    "extra": {"widths": [8, 16], "dropout": 0.1, "name": None},
}


def changed(key: str, value: object) -> dict[str, object]:
    return {**DOCUMENT, key: value}


def test_decoded_document_encodes_to_itself() -> None:
    outer = decode(Outer, DOCUMENT)
    assert outer.rows == ((1, 2), (3, 4))
    assert outer.inner == Inner(0.5, None)
    assert asdict(outer) == {**DOCUMENT, "rows": ((1, 2), (3, 4))}


def test_integer_is_accepted_for_a_float() -> None:
    share = decode(Outer, changed("inner", {"share": 1, "note": "x"})).inner.share
    assert (share, type(share)) == (1.0, float)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "the document must be an object, not []"),
        (changed("count", "1"), "count must be an integer, not '1'"),
        (changed("count", True), "count must be an integer, not True"),
        (changed("count", 1.0), "count must be an integer, not 1.0"),
        (changed("count", None), "count must be an integer, not None"),
        (changed("flag", 1), "flag must be a boolean, not 1"),
        (changed("inner", 3), "inner must be an object, not 3"),
        (changed("inner", {"share": 1.0}), "inner.note is missing"),
        (changed("inner", {"share": "x", "note": ""}), "inner.share must be a number, not 'x'"),
        (changed("inner", {"share": True, "note": ""}), "inner.share must be a number, not True"),
        (changed("inner", {"share": 1.0, "note": 2}), "inner.note must be a string, not 2"),
        (changed("rows", {}), "rows must be a list, not {}"),
        (changed("rows", [[1], [2.5]]), "rows[1][0] must be an integer, not 2.5"),
        (changed("versions", []), "versions must be an object, not []"),
        (changed("versions", {"a": 1}), "versions.a must be a string, not 1"),
        (changed("more", 1), "more is unknown"),
    ],
)
def test_invalid_document_is_refused_with_the_key(document: object, message: str) -> None:
    with pytest.raises(DecodingError) as refusal:
        decode(Outer, document)
    assert str(refusal.value) == message


def test_long_values_are_cut_in_messages() -> None:
    with pytest.raises(DecodingError) as refusal:
        decode(Outer, changed("count", "x" * 1000))
    assert len(str(refusal.value)) < 100
