from collections.abc import Callable
from itertools import combinations

import pytest
from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

SMALLEST_FONT = 10


@pytest.fixture
def drawn_texts(monkeypatch: pytest.MonkeyPatch) -> Callable[[Figure], list[str]]:
    """Draw a figure, check that its text is not cut, overlapping or small, and return it."""

    def draw_and_check(figure: Figure) -> list[str]:
        drawn: list[Text] = []
        draw = Text.draw

        def remember(text: Text, renderer: RendererBase) -> None:
            if text.get_visible() and text.get_text().strip():
                drawn.append(text)
            draw(text, renderer)

        # Ticks beyond the limits are artists as well, but never drawn.
        with monkeypatch.context() as patch:
            patch.setattr(Text, "draw", remember)
            canvas = FigureCanvasAgg(figure)
            canvas.draw()
        boxes = [(text, text.get_window_extent(canvas.get_renderer())) for text in drawn]
        width, height = canvas.get_width_height()
        for text, box in boxes:
            inside = box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height
            assert inside, f"{text} is cut"
            assert text.get_fontsize() >= SMALLEST_FONT, f"{text} is small"
        for (text, box), (other, other_box) in combinations(boxes, 2):
            assert not box.overlaps(other_box), f"{text} overlaps {other}"
        return [text.get_text() for text in drawn]

    return draw_and_check
