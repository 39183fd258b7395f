import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from comparison_inputs import golden_comparison

from mnist_lightning.comparison.schema import Comparison
from mnist_lightning.comparison.verdict import verdict
from mnist_lightning.reporting import comparison_html as module
from mnist_lightning.reporting.comparison_figure import PANELS
from mnist_lightning.reporting.comparison_html import comparison_html

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

IMAGES = np.random.default_rng(0).integers(0, 256, (10_000, 28, 28), dtype=np.uint8)
VOID = {"meta", "img", "br", "link", "hr", "input"}


def make(comparison: Comparison) -> str:
    return comparison_html(comparison, IMAGES)


@pytest.fixture(scope="module")
def page_text() -> str:
    return make(golden_comparison())


class Outline(HTMLParser):
    """Collects elements, and fails where tags do not nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        assert self.stack == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def test_page_is_well_formed_and_names_its_language_and_title(page_text: str) -> None:
    outline = Outline(page_text)
    assert page_text.lstrip().startswith("<!DOCTYPE html>")
    assert outline.all("html") == [{"lang": "en"}]
    assert len(outline.all("h1")) == len(outline.all("title")) == len(outline.all("main")) == 1
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in outline.all(
        "meta"
    )
    # Headings go down one level at a time.
    levels = [int(tag[1]) for tag, _ in outline.elements if re.fullmatch(r"h\d", tag)]
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_page_needs_nothing_outside_and_stays_small(page_text: str) -> None:
    outline = Outline(page_text)
    assert len(page_text) < 1_000_000
    assert not outline.all("link")
    assert not [script for script in outline.all("script") if "src" in script]
    assert not re.findall(r"(?:src|href)=[\"'](?!data:|#)", page_text)
    assert "http" not in re.sub(r"http-equiv|https?://\S*arxiv\S*", "", page_text)


def test_every_image_is_described_and_every_button_named(page_text: str) -> None:
    outline = Outline(page_text)
    pictures = [image for image in outline.all("img") if image.get("src")]
    assert len(pictures) == len(PANELS) + 1
    assert all(len(image["alt"] or "") > 20 for image in pictures)
    assert all(int(image["width"] or 0) > 600 for image in pictures)


def test_page_holds_the_conclusion_and_all_rows(page_text: str) -> None:
    comparison = golden_comparison()
    for sentence in comparison.conclusion:
        assert sentence.replace("'", "&#39;").replace("<", "&lt;") in page_text
    for text in ("99.06", "95.97", "16,794", "0.9578", "−3.09", "Northcutt"):
        assert text in page_text
    assert comparison.models[0].model.sha256 in page_text


@pytest.fixture
def _without_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_picture", lambda _, *text: module.Picture("data", 1, 1, *text))


@pytest.mark.usefixtures("_without_pictures")
def test_titles_from_records_cannot_inject_markup() -> None:
    golden = golden_comparison()
    evil = replace(golden.models[1], title="<script>alert(1)</script>")
    text = make(replace(golden, models=(golden.models[0], evil)))
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)" in text


@pytest.mark.usefixtures("_without_pictures")
def test_page_for_other_images_mentions_no_label_errors() -> None:
    golden = golden_comparison()
    text = make(
        replace(
            golden,
            dataset=replace(golden.dataset, is_standard=False),
            models=tuple(replace(model, without_label_errors=None) for model in golden.models),
        )
    )
    assert "label errors" not in text


def test_page_begins_with_the_verdict_and_one_table_and_lists_its_parts(page_text: str) -> None:
    comparison = golden_comparison()
    places = [page_text.index(sentence) for sentence in verdict(comparison)]
    places += [page_text.index(mark) for mark in ("<table>", "<nav", "<img", "<details")]
    assert places == sorted(places)
    outline = Outline(page_text)
    targets = [str(link["href"]).removeprefix("#") for link in outline.all("a")]
    identities = [attributes["id"] for _, attributes in outline.elements if "id" in attributes]
    assert targets == identities
    assert len(targets) > 5


def test_models_are_called_by_their_titles_in_tables(page_text: str) -> None:
    assert '<th scope="row">ResNet50 (random initialisation) − Custom CNN</th>' in page_text
    assert not re.findall(r'<th scope="row">[A-Z]\b(?!\w)', page_text)


@pytest.mark.usefixtures("_without_pictures")
def test_seeds_of_an_ensemble_are_named() -> None:
    golden = golden_comparison()
    command = ("--model", "cnn", "--seeds", "0", "1", "2")
    training = replace(golden.models[1].training, seed=None, command=command)
    models = (golden.models[0], replace(golden.models[1], training=training))
    text = make(replace(golden, models=models))
    assert "seeds 0–2" in text
    assert "seed None" not in text


@pytest.mark.usefixtures("_without_pictures")
def test_learning_curves_are_shown_for_known_histories_only() -> None:
    comparison = golden_comparison()
    history = pd.DataFrame({"epoch": [1, 2], "val/loss": [0.5, 0.4], "val/accuracy": [0.8, 0.9]})
    assert "Learning curves" not in make(comparison)
    text = comparison_html(comparison, IMAGES, histories={"resnet50": history})
    assert '<a href="#curves">Learning curves</a>' in text
    assert text.count("<figure>") == len(PANELS) + 2


@pytest.fixture(scope="module")
def page_of_four(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("page") / "model_comparison.html"
    file.write_text(make(golden_comparison(4)), encoding="utf-8")
    return file


@pytest.fixture
def opened(browser: "Browser", page_of_four: Path, request: Any) -> Iterator["Page"]:
    """The page of four models; the test fails if it logs an error or requests anything else."""
    page = browser.new_page(**request.param)
    errors: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: errors.append(message.text))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(page_of_four.as_uri())
    yield page
    page.close()
    assert errors == []
    assert [url for url in requests if not url.startswith("data:")] == [page_of_four.as_uri()]


WIDE = {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"}
NARROW = {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"}


@pytest.mark.parametrize("opened", [WIDE, NARROW], indirect=True, ids=["wide", "narrow"])
def test_real_browser_shows_all_images_within_its_width(opened: "Page") -> None:
    assert opened.evaluate("document.documentElement.scrollWidth <= innerWidth")
    widths = opened.evaluate(
        "[...document.querySelectorAll('figure img')].map(image => image.naturalWidth)"
    )
    assert len(widths) == len(PANELS) + 1
    assert min(widths) > 600


@pytest.mark.parametrize("opened", [NARROW], indirect=True, ids=["dark"])
def test_dark_scheme_has_light_text_on_dark(opened: "Page") -> None:
    text, ground = opened.evaluate(
        "['color', 'backgroundColor'].map(name => getComputedStyle(document.body)[name])"
    )
    assert min(map(int, re.findall(r"\d+", text)[:3])) > 200
    assert max(map(int, re.findall(r"\d+", ground)[:3])) < 50


@pytest.mark.parametrize("opened", [WIDE], indirect=True, ids=["wide"])
def test_click_on_a_column_sorts_by_number_ascending_then_descending(opened: "Page") -> None:
    head = opened.locator("thead button", has_text="Parameters").first
    column = opened.locator("table").first.locator("tbody td:nth-child(6)")
    numbers = [int(text.replace(",", "")) for text in column.all_text_contents()]
    head.click()
    rising = [int(text.replace(",", "")) for text in column.all_text_contents()]
    head.click()
    falling = [int(text.replace(",", "")) for text in column.all_text_contents()]
    assert rising == sorted(numbers) != sorted(numbers, reverse=True) == falling
    assert opened.locator("th[aria-sort=descending]").count() == 1


@pytest.mark.parametrize("opened", [WIDE], indirect=True, ids=["wide"])
def test_click_on_a_figure_enlarges_it_and_escape_closes_it(opened: "Page") -> None:
    opened.locator("figure button").nth(1).click()
    dialog = opened.locator("dialog")
    assert dialog.is_visible()
    large = dialog.locator("img")
    small = opened.locator("figure img").nth(1)
    assert large.get_attribute("alt") == small.get_attribute("alt")
    box, small_box = large.bounding_box(), small.bounding_box()
    assert box is not None
    assert small_box is not None
    assert box["width"] > small_box["width"]
    opened.keyboard.press("Escape")
    assert not dialog.is_visible()


@pytest.mark.parametrize("opened", [WIDE], indirect=True, ids=["wide"])
def test_contents_open_the_part_they_lead_to(opened: "Page") -> None:
    timings = opened.locator("#timings table")
    assert not timings.is_visible()
    opened.locator("nav a", has_text="All timings").click()
    assert timings.is_visible()
    assert opened.locator("details[open]").count() == 1


@pytest.mark.parametrize("opened", [WIDE], indirect=True, ids=["wide"])
def test_print_shows_every_part_and_cuts_no_table(opened: "Page") -> None:
    opened.emulate_media(media="print")
    # The width of A4 without its margins, in CSS pixels.
    opened.set_viewport_size({"width": 688, "height": 1000})
    opened.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert opened.locator("details:not([open])").count() == 0
    widths = opened.evaluate("[...document.querySelectorAll('table')].map(t => t.scrollWidth)")
    assert max(widths) <= 688
    assert opened.evaluate("document.documentElement.scrollWidth") <= 688
    opened.evaluate("dispatchEvent(new Event('afterprint'))")
    assert opened.locator("details[open]").count() == 0


@pytest.mark.parametrize("opened", [WIDE], indirect=True, ids=["wide"])
def test_print_repeats_the_head_of_a_table_on_each_page(opened: "Page") -> None:
    pypdfium2 = pytest.importorskip("pypdfium2")
    with pypdfium2.PdfDocument(opened.pdf(width="210mm", height="90mm")) as printed:
        texts = [page.get_textpage().get_text_range() for page in printed]
    pages_of_timings = [text for text in texts if "p99" in text]
    assert len(pages_of_timings) > 1
    assert all("Threads" in text for text in pages_of_timings)
