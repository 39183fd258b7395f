"""The page in Chromium, drawn on by pointer events."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import mnist_lightning.demo as page_package

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

Points = list[tuple[float, float]]
SEVEN: Points = [(0.25, 0.22), (0.5, 0.22), (0.74, 0.22), (0.6, 0.5), (0.45, 0.82)]
THREE: Points = [
    *((0.3, 0.22), (0.45, 0.15), (0.62, 0.2), (0.68, 0.32), (0.6, 0.44), (0.45, 0.49)),
    *((0.62, 0.53), (0.72, 0.66), (0.64, 0.8), (0.47, 0.86), (0.28, 0.78)),
]
WIDE = {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"}
PHONE = {
    "viewport": {"width": 360, "height": 740},
    "color_scheme": "dark",
    "reduced_motion": "reduce",
    "has_touch": True,
}
#: The number of pixels of a canvas that are more than half covered.
INKED = """selector => {
  const canvas = document.querySelector(selector), {width, height} = canvas;
  const copy = new OffscreenCanvas(width, height);
  const context = copy.getContext("2d", {willReadFrequently: true});
  context.drawImage(canvas, 0, 0);
  const {data} = context.getImageData(0, 0, width, height);
  return data.filter((value, place) => place % 4 === 3 && value > 127).length;
}"""
STATIC = Path(page_package.__file__).with_name("static")


@pytest.fixture
def opened(browser: "Browser", url: str, request: Any) -> Iterator["Page"]:
    """The page; the test fails if it logs an error or sends a request to another server."""
    page = browser.new_page(**getattr(request, "param", WIDE))
    trouble: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: trouble.append(message.text))
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("request", lambda asked: requests.append(asked.url))
    page.goto(url)
    page.wait_for_selector(".strip button")
    yield page
    page.close()
    assert trouble == []
    assert [asked for asked in requests if not asked.startswith(f"{url}/")] == []


def draw(page: "Page", points: Points) -> None:
    box = page.locator("#paper").bounding_box()
    assert box is not None
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=4)
    page.mouse.up()


def wait_for(page: "Page", verdict: str) -> None:
    page.locator("#verdict", has_text=re.compile(verdict)).wait_for()


def digits(page: "Page") -> list[str]:
    return page.locator(".digit").all_text_contents()


def test_a_drawn_7_and_a_drawn_3_are_recognised_and_disagreement_is_marked(opened: "Page") -> None:
    draw(opened, SEVEN)
    wait_for(opened, "^Custom CNN: 7. Always <7>: 7.$")
    assert digits(opened) == ["7", "7"]
    assert opened.locator("article.apart").count() == 0
    assert "ms" in (opened.locator("#latency").text_content() or "")

    opened.get_by_role("button", name="Clear").click()
    wait_for(opened, "^Draw something")
    draw(opened, THREE)
    wait_for(opened, "^The models disagree. Custom CNN: 3. Always <7>: 7.$")
    # One against one: there is no majority.
    assert opened.locator("article.apart").count() == 2
    row = opened.locator("article").first.locator("tr", has=opened.locator("th", has_text="3"))
    probability = row.locator("td").last.text_content() or ""
    assert float(probability.removesuffix(" %")) > 90
    width = "row => row.querySelector('.bar').style.width"
    assert float(row.evaluate(width).removesuffix("%")) > 90
    assert opened.evaluate(INKED, "#seen") > 50


def test_undo_reverts_a_stroke_and_a_clear(opened: "Page") -> None:
    draw(opened, SEVEN)
    wait_for(opened, "CNN: 7")
    ink = opened.evaluate(INKED, "#paper")
    draw(opened, [(0.1, 0.9)])
    opened.get_by_label("Drawing area, 2 strokes").wait_for()
    assert opened.evaluate(INKED, "#paper") > ink

    opened.keyboard.press("Control+z")
    opened.get_by_label("Drawing area, 1 stroke", exact=True).wait_for()
    assert opened.evaluate(INKED, "#paper") == ink
    opened.keyboard.press("Escape")
    wait_for(opened, "^Draw something")
    assert opened.evaluate(INKED, "#paper") == opened.evaluate(INKED, "#seen") == 0
    assert opened.get_by_role("button", name="Clear").is_disabled()
    opened.get_by_role("button", name="Undo").click()
    wait_for(opened, "CNN: 7")
    assert opened.evaluate(INKED, "#paper") == ink


def test_a_test_digit_can_be_chosen_by_keyboard_and_the_answer_is_announced(opened: "Page") -> None:
    for _ in range(3):
        opened.keyboard.press("Tab")
    label = "document.activeElement.getAttribute('aria-label')"
    assert str(opened.evaluate(label)).startswith("Test image")
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert opened.evaluate(outline) == "solid"
    opened.keyboard.press("Enter")
    status = opened.get_by_role("status")
    status.filter(has_text=re.compile(r"^Test image \d+, labelled \d.*Always <7>: 7\.$")).wait_for()
    assert opened.locator("[aria-pressed=true]").count() == 1
    opened.keyboard.press("Delete")
    status.filter(has_text="The drawing area is empty.").wait_for()
    assert opened.locator("[aria-pressed=true]").count() == 0


@pytest.mark.parametrize("opened", [WIDE, PHONE], indirect=True, ids=["wide", "phone"])
def test_the_page_fits_its_width_and_buttons_are_large_enough_for_a_finger(opened: "Page") -> None:
    draw(opened, THREE)
    wait_for(opened, "CNN: 3")
    assert opened.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for button in opened.get_by_role("button").all():
        box = button.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 44
    assert (
        opened.evaluate("getComputedStyle(document.querySelector('#paper')).touchAction") == "none"
    )


@pytest.mark.parametrize("opened", [PHONE], indirect=True, ids=["phone"])
def test_a_finger_draws_in_dark_mode_and_a_second_one_is_ignored(opened: "Page") -> None:
    ground = opened.evaluate("getComputedStyle(document.body).backgroundColor")
    assert max(map(int, re.findall(r"\d+", ground)[:3])) < 50
    opened.evaluate(
        """points => {
          const paper = document.querySelector("#paper"), box = paper.getBoundingClientRect();
          paper.setPointerCapture = () => {};
          const send = (type, pointerId, [x, y]) => paper.dispatchEvent(new PointerEvent(type, {
            pointerId, pointerType: "touch", bubbles: true, cancelable: true,
            clientX: box.left + x * box.width, clientY: box.top + y * box.height,
          }));
          send("pointerdown", 5, points[0]);
          for (const point of points.slice(1)) {
            send("pointermove", 5, point);
            send("pointerdown", 6, [0.1, 0.9]);
            send("pointermove", 6, [0.9, 0.9]);
            send("pointerup", 6, [0.9, 0.9]);
          }
          send("pointerup", 5, points.at(-1));
        }""",
        SEVEN,
    )
    wait_for(opened, "CNN: 7")
    assert opened.get_by_label("Drawing area, 1 stroke", exact=True).count() == 1


def test_a_lost_server_is_reported_and_the_page_continues_when_it_is_back(
    browser: "Browser", url: str
) -> None:
    page = browser.new_page()
    page.goto(url)
    page.route("**/predict", lambda route: route.abort())
    draw(page, SEVEN)
    wait_for(page, "The server does not answer")
    page.unroute("**/predict")
    draw(page, [(0.3, 0.5), (0.3, 0.5)])
    page.get_by_role("button", name="Undo").click()
    wait_for(page, "CNN: 7")
    page.close()


def test_a_request_to_a_busy_server_is_repeated(browser: "Browser", url: str) -> None:
    page = browser.new_page()
    page.goto(url)
    busy = [True, True]

    def answer(route: Any) -> None:
        if busy:
            busy.pop()
            route.fulfill(status=503, json={"error": "too many pictures at once"})
        else:
            route.continue_()

    page.route("**/predict", answer)
    draw(page, SEVEN)
    wait_for(page, "CNN: 7")
    assert busy == []
    page.close()


class Nesting(HTMLParser):
    """Fails if tags do not nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.feed(text)
        assert self.stack == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in {"meta", "link", "br"}:
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag


def test_markup_nests_and_references_only_existing_ids_and_no_other_site() -> None:
    text = (STATIC / "index.html").read_text(encoding="utf-8")
    Nesting(text)
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    named = re.findall(r'(?:aria-labelledby|aria-describedby|href)="#?([\w-]+)"', text)
    assert {*named, *re.findall(r'byId\("(\w+)"\)', (STATIC / "page.js").read_text())} <= set(ids)
    everything = "".join(file.read_text(encoding="utf-8") for file in STATIC.iterdir())
    addresses = set(re.findall(r"\w+://[^\s\"']+", everything))
    assert addresses == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"style=|onclick=|innerHTML", everything)
