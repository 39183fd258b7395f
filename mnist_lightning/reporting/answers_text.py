"""What models read in files: a table for the terminal, JSON and CSV."""

import json
from collections.abc import Sequence
from dataclasses import asdict

from mnist_lightning.handwriting.answers import ReadDigit
from mnist_lightning.reporting.tables import shorten, table, to_csv

#: A terminal shows no more rows than these.
MAX_ROWS = 200
FILE_WIDTH = 40


def answers_table(digits: Sequence[ReadDigit], models: Sequence[str]) -> str:
    """Format the answers for the terminal: a row for each digit, a column for each model.

    Returns:
        Lines of at most 100 columns, then a line for each model that counts its answers.
    """
    names = [shorten(model, FILE_WIDTH) for model in models]
    rows = (
        {
            "file": shorten(digit.file, FILE_WIDTH),
            "page": digit.page,
            "digit": digit.number,
            **dict(zip(names, (answer.caption for answer in digit.answers), strict=True)),
        }
        for digit in digits[:MAX_ROWS]
    )
    lines = [table(rows, index=3).to_text()]
    if len(digits) > MAX_ROWS:
        lines.append(f"... and {len(digits) - MAX_ROWS:,} more: --csv and --json print all")
    return "\n".join(
        [*lines, *(_tally(digits, place, model) for place, model in enumerate(models))]
    )


def _tally(digits: Sequence[ReadDigit], place: int, model: str) -> str:
    answers = [digit.answers[place] for digit in digits]
    answered = sum(answer.answered for answer in answers)
    text = f"{model}: {answered:,} of {len(digits):,} answered"
    labelled = [pair for pair in zip(digits, answers, strict=True) if pair[0].label is not None]
    if labelled:
        right = sum(digit.label == answer.digit for digit, answer in labelled)
        sure = sum(digit.label == answer.digit and answer.answered for digit, answer in labelled)
        of_those = "them" if len(labelled) == len(digits) else f"the {len(labelled):,} labelled"
        text += f", {sure:,} of {of_those} right; {right:,} right if all had to be answered"
        text += f" (accuracy {100 * right / len(labelled):.1f} %)"
    return text


def answers_json(
    digits: Sequence[ReadDigit], models: Sequence[dict[str, object]], failed: dict[str, str]
) -> str:
    """Format everything as JSON: models with their thresholds, digits, files that failed."""
    result = {"models": models, "digits": [asdict(digit) for digit in digits], "failed": failed}
    return json.dumps(result, indent=2)


def answers_csv(digits: Sequence[ReadDigit]) -> str:
    """Format the answers as CSV: a row for each digit and model, no newline at the end."""
    rows = table(
        {
            "file": digit.file,
            "page": digit.page,
            "number": digit.number,
            "label": digit.label,
            **asdict(answer),
            "confidence": f"{answer.confidence:.6f}",
            "answered": int(answer.answered),
        }
        for digit in digits
        for answer in digit.answers
    )
    return to_csv(rows.values).rstrip("\n")
