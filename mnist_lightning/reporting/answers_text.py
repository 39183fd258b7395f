"""What models read in files: a table for the terminal, JSON and CSV."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict

from mnist_lightning.handwriting.answers import Answer, ReadDigit

WIDTH = 100
#: More rows than these are for a file, not for a terminal.
MAX_ROWS = 200


def caption(answer: Answer) -> str:
    """Say it in a few characters: ``7  99.9 %``, or ``?  (7 at 52.0 %)``."""
    confidence = f"{answer.confidence:.1%}".replace("%", " %")
    if answer.answered:
        return f"{answer.digit}  {confidence}"
    return f"?  ({answer.digit} at {confidence})"


def answers_table(digits: Sequence[ReadDigit], models: Sequence[str]) -> str:
    """Lay the answers out in at most 100 columns, a column for each model while they fit."""
    column = 20
    # Where the columns would not leave room for the file's name, each model has a line.
    wide = 14 + 30 + column * len(models) <= WIDTH
    name_width = max(len("file"), *(len(digit.file) for digit in digits[:MAX_ROWS]))
    name_width = min(name_width, WIDTH - 14 - column * (len(models) if wide else 2))
    places = f"{'page':>5} {'digit':>6}  "
    heads = models if wide else ["model", "reads"]
    lines = [_line(f"{'file':<{name_width}}{places}", [_fit(head, column - 1) for head in heads])]
    for digit in digits[:MAX_ROWS]:
        start = f"{_fit(digit.file, name_width):<{name_width}}{digit.page:>5} {digit.number:>6}  "
        captions = [caption(answer) for answer in digit.answers]
        if wide:
            lines.append(_line(start, captions))
        else:
            pairs = zip(models, captions, strict=True)
            lines += [_line(start, [_fit(model, column - 1), text]) for model, text in pairs]
    if len(digits) > MAX_ROWS:
        lines.append(f"... and {len(digits) - MAX_ROWS:,} more: --csv and --json print all")
    lines += [_tally(digits, place, model) for place, model in enumerate(models)]
    return "\n".join(lines)


def _line(start: str, cells: Sequence[str]) -> str:
    return (start + "".join(f"{cell:<20}" for cell in cells)).rstrip()


def _fit(text: str, width: int) -> str:
    return text if len(text) <= width else f"...{text[len(text) - width + 3 :]}"


def _tally(digits: Sequence[ReadDigit], place: int, model: str) -> str:
    answers = [digit.answers[place] for digit in digits]
    answered = sum(answer.answered for answer in answers)
    text = f"{model}: {answered:,} of {len(digits):,} answered"
    if digits and all(digit.label is not None for digit in digits):
        pairs = list(zip(digits, answers, strict=True))
        right = sum(digit.label == answer.digit for digit, answer in pairs)
        sure = sum(digit.label == answer.digit and answer.answered for digit, answer in pairs)
        text += f", {sure:,} of them right; {right:,} right if all had to be answered"
    return text


def answers_json(
    digits: Sequence[ReadDigit], models: Sequence[dict[str, object]], failed: dict[str, str]
) -> str:
    """Everything as JSON: the models and their thresholds, the digits, the files that failed."""
    result = {"models": models, "digits": [asdict(digit) for digit in digits], "failed": failed}
    return json.dumps(result, indent=2)


def answers_csv(digits: Sequence[ReadDigit]) -> str:
    """A row for each digit and model."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["file", "page", "number", "label", "model", "digit", "confidence", "answered"])
    for digit in digits:
        for answer in digit.answers:
            label = "" if digit.label is None else digit.label
            said = (answer.model, answer.digit, f"{answer.confidence:.6f}", int(answer.answered))
            writer.writerow((digit.file, digit.page, digit.number, label, *said))
    return text.getvalue().rstrip("\n")
