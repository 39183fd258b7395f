"""What all models make of one picture."""

import base64
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from mnist_lightning.export.trained_model import TrainedModel
from mnist_lightning.handwriting.prepare import SIDE as DIGIT_SIDE
from mnist_lightning.handwriting.prepare import prepare_digit

Pixels = npt.NDArray[np.uint8]

#: Side of the pictures that the page sends of a drawing.
DRAWING_SIDE = 112
#: The only lengths of a body, so that nothing has to be parsed.
SIDES = {side * side: side for side in (DIGIT_SIDE, DRAWING_SIDE)}
#: A picture without a pixel above this holds no ink.
FAINTEST_INK = 32


class NoPictureError(ValueError):
    """The bytes are not a picture that the page could have sent."""


def decode_picture(body: bytes) -> Pixels:
    """Turn the body of a request into what the networks see.

    Args:
        body: Grey bytes, row by row, 0 is background and 255 is ink: 28x28 of them are shown to
            the networks as they are, 112x112 are a drawing, which is cropped and centred first.

    Returns:
        uint8 ``(28, 28)``.

    Raises:
        NoPictureError: The length is another, or there is no ink.
    """
    side = SIDES.get(len(body))
    if side is None:
        lengths = " or ".join(map(str, SIDES))
        raise NoPictureError(f"expected {lengths} bytes of grey pixels, got {len(body)}")
    picture = np.frombuffer(body, dtype=np.uint8).reshape(side, side)
    if picture.max() <= FAINTEST_INK:
        raise NoPictureError("there is no ink in the picture")
    if side == DIGIT_SIDE:
        return picture
    return prepare_digit(picture.astype(np.float32) / 255)


def read_picture(models: Sequence[TrainedModel], body: bytes) -> dict[str, Any]:
    """Let every model read a picture.

    Args:
        models: At least one.
        body: See :func:`decode_picture`.

    Returns:
        What the page shows, ready for JSON: ``seen`` (the 28x28 bytes in base64), ``models`` (name,
        title, ``probabilities``, the likeliest ``digit``, whether the model is ``sure`` of it, its
        ``milliseconds``), whether all ``agree`` on the likeliest digit, and the ``milliseconds`` of
        everything.

    Raises:
        NoPictureError: The body is no picture.
    """
    start = time.perf_counter()
    seen = decode_picture(body)
    images = torch.from_numpy(seen.copy()).view(1, 1, DIGIT_SIDE, DIGIT_SIDE)
    answers = [_answer(model, images) for model in models]
    return {
        "seen": base64.b64encode(seen.tobytes()).decode("ascii"),
        "models": answers,
        "agree": len({answer["digit"] for answer in answers}) == 1,
        "milliseconds": _milliseconds_since(start),
    }


def warm_up(models: Sequence[TrainedModel], calls: int = 3) -> None:
    """Let every model read once or more, so that the first stroke does not wait for it."""
    box = np.zeros((DRAWING_SIDE, DRAWING_SIDE), dtype=np.uint8)
    box[20:90, 50:60] = 255
    for _ in range(calls):
        read_picture(models, box.tobytes())


def _answer(model: TrainedModel, images: torch.Tensor) -> dict[str, Any]:
    start = time.perf_counter()
    probabilities = model.probabilities(images)
    return {
        "name": model.name,
        "title": model.title,
        "probabilities": [round(float(value), 4) for value in probabilities[0]],
        "digit": int(probabilities[0].argmax()),
        "sure": bool(model.answers(probabilities)[0]),
        "milliseconds": _milliseconds_since(start),
    }


def _milliseconds_since(start: float) -> float:
    return round((time.perf_counter() - start) * 1000, 2)
