"""The predictions of all models for one picture."""

import base64
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from mnist_lightning.data.digits import SIDE, Pixels
from mnist_lightning.export.trained_model import TrainedModel, names_of
from mnist_lightning.handwriting.prepare import prepare_digit

#: Side of a drawing that the page sends, in pixels.
DRAWING_SIDE = 112
#: The allowed lengths of a body, and the side of each picture; no other format is parsed.
SIDES = {side * side: side for side in (SIDE, DRAWING_SIDE)}
#: A picture without a brighter pixel is empty.
FAINTEST_INK = 32


class NoPictureError(ValueError):
    """The bytes are not a picture that the page could have sent."""


def decode_picture(body: bytes) -> Pixels:
    """Turn the body of a request into the input of the networks.

    Args:
        body: Grey bytes, row by row, from 0 (background) to 255 (ink): 28x28 bytes are passed on
            unchanged, 112x112 bytes are a drawing, which is cropped and centred first.

    Returns:
        uint8 ``(28, 28)``.

    Raises:
        NoPictureError: The length is wrong, or the picture is empty.
    """
    side = SIDES.get(len(body))
    if side is None:
        lengths = " or ".join(map(str, SIDES))
        raise NoPictureError(f"expected {lengths} bytes of grey pixels, got {len(body)}")
    picture = np.frombuffer(body, dtype=np.uint8).reshape(side, side)
    if picture.max() <= FAINTEST_INK:
        raise NoPictureError("the picture is empty")
    if side == SIDE:
        return picture
    return prepare_digit(picture.astype(np.float32) / 255)


def read_picture(models: Sequence[TrainedModel], body: bytes) -> dict[str, Any]:
    """Let every model classify a picture.

    Args:
        models: At least one.
        body: See :func:`decode_picture`.

    Returns:
        The answer, ready for JSON: ``seen`` (the 28x28 bytes in base64), ``models`` (for each its
        ``name``, ``title``, ``probabilities``, most likely ``digit``, whether it is ``sure``, and
        its ``milliseconds``), whether all models ``agree`` on the most likely digit, and the total
        ``milliseconds``.

    Raises:
        NoPictureError: The body is not a valid picture.
    """
    start = time.perf_counter()
    seen = decode_picture(body)
    images = torch.from_numpy(seen.copy()).view(1, 1, SIDE, SIDE)
    names = names_of(models)
    answers = [_answer(model, name, images) for model, name in zip(models, names, strict=True)]
    return {
        "seen": base64.b64encode(seen.tobytes()).decode("ascii"),
        "models": answers,
        "agree": len({answer["digit"] for answer in answers}) == 1,
        "milliseconds": _milliseconds_since(start),
    }


def warm_up(models: Sequence[TrainedModel], calls: int = 3) -> None:
    """Run every model a few times, so that the first stroke is not slower than the others."""
    box = np.zeros((DRAWING_SIDE, DRAWING_SIDE), dtype=np.uint8)
    box[20:90, 50:60] = 255
    for _ in range(calls):
        read_picture(models, box.tobytes())


def _answer(model: TrainedModel, name: str, images: torch.Tensor) -> dict[str, Any]:
    start = time.perf_counter()
    probabilities = model.probabilities(images)
    return {
        "name": name,
        # Two files of one model differ by the file, not by the title.
        "title": model.title if name == model.name else f"{model.title}, {model.path.name}",
        "probabilities": [round(float(value), 4) for value in probabilities[0]],
        "digit": int(probabilities[0].argmax()),
        "sure": bool(model.answers(probabilities)[0]),
        "milliseconds": _milliseconds_since(start),
    }


def _milliseconds_since(start: float) -> float:
    return round((time.perf_counter() - start) * 1000, 2)
