from dataclasses import replace

import pytest

from mnist_lightning.reporting.tables import duration, table, three, to_csv

ROWS = [
    {"name": "a", "count": 1234, "share": 0.012345, "known": True},
    {"name": "b", "count": None, "share": 1.0, "known": False},
]


def test_one_table_is_written_as_markdown_text_and_csv() -> None:
    found = table(ROWS, {"share": "{:.1%}".format})
    assert found.to_markdown().splitlines() == [
        "| name | count | share | known |",
        "| --- | ---: | ---: | ---: |",
        "| a | 1,234 | 1.2% | yes |",
        "| b | n/a | 100.0% | no |",
    ]
    assert [line.split() for line in found.to_text().splitlines()] == [
        ["count", "share", "known"],
        ["a", "1,234", "1.2%", "yes"],
        ["b", "n/a", "100.0%", "no"],
    ]
    assert to_csv(found.values).splitlines() == [
        "name,count,share,known",
        "a,1234,0.012345,True",
        "b,,1.0,False",
    ]


def test_table_without_rows_is_empty() -> None:
    assert table([]).shown.empty


def test_terminal_table_continues_below_after_100_columns() -> None:
    wide = table([{"name": "row", **{f"column_{place}": "x" * 20 for place in range(9)}}])
    lines = wide.to_text().splitlines()
    assert max(map(len, lines)) <= 100
    assert sum(line.startswith("row") for line in lines) == 3
    assert not [line for line in lines if line.endswith(("\\", " "))]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_text_that_a_spreadsheet_would_run_is_quoted_and_numbers_are_not(start: str) -> None:
    text = f"{start}cmd"
    rows = table([{"name": text, "title": text, "plain": "a=b", "number": -1.5}])
    assert f"'{text}" in to_csv(rows.values)
    assert to_csv(rows.values).endswith(",a=b,-1.5\n")
    assert to_csv(rows.values).count("'") == 2


def test_best_cells_are_marked_and_the_digits_stay_aligned() -> None:
    found = table([{"name": "a", "one": "1|2", "two": "3"}])
    best = found.best.assign(one=True)
    marked = replace(found, best=best)
    assert marked.to_markdown().splitlines()[-1] == r"| a | **1\|2** | 3 |"
    assert marked.to_text().splitlines() == ["    one two", "a  1|2*  3"]


def test_a_change_applies_to_values_text_and_marks() -> None:
    found = table(ROWS).apply(lambda one: one[["share"]].head(1))
    assert found.values.to_dict() == {"share": {"a": 0.012345}}
    assert found.shown.to_dict() == {"share": {"a": "0.0123"}}
    assert found.best.to_dict() == {"share": {"a": False}}


@pytest.mark.parametrize(
    ("value", "text"), [(0.01234, "0.0123"), (1.5, "1.50"), (12.34, "12.3"), (1234.5, "1,234")]
)
def test_three_digits_without_exponent(value: float, text: str) -> None:
    assert three(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(8.34, "8.3 s"), (725, "12 min 5 s"), (3900, "1 h 5 min"), (3599.6, "1 h 0 min")],
)
def test_durations_read_naturally(seconds: float, text: str) -> None:
    assert duration(seconds) == text
