"""Feed damaged files to the readers, keep those that reach new lines, and damage them further.

``python tests/faults/fuzz_readers.py --seconds 60`` writes results/fuzz_readers.json: how often
each reader ran, how many of its lines were reached, and every error that is not one of ours.
"""

import argparse
import gzip
import io
import json
import platform
import random
import struct
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from mnist_lightning.data import checks, idx, npz
from mnist_lightning.errors import UserError
from mnist_lightning.records import predictions

RESULT = Path(__file__).parent / "results" / "fuzz_readers.json"
# Their own lines lead to new inputs, and those of the libraries beneath them.
WATCHED = (checks.__file__, idx.__file__, npz.__file__, predictions.__file__)
BENEATH = ("zipfile", "gzip.py", "numpy/lib", "mnist_lightning")
Place = tuple[str, int]


def seeds() -> dict[str, tuple[Callable[[Path], object], list[bytes]]]:
    """Each reader with a few sound files that are small enough to be damaged in every place."""
    images = np.zeros((1, 28, 28), np.uint8)
    idx_file = struct.pack(">4B3I", 0, 0, 8, 3, 1, 28, 28) + images.tobytes()
    keras = {f"{kind}_{part}": a for part in ("train", "test") for kind, a in [("x", images)]}
    keras |= {"y_train": np.zeros(1, np.uint8), "y_test": np.zeros(1, np.int64)}
    one = {"labels": np.zeros(1, np.int64), "indices": np.zeros(1, np.int64)}
    one["probabilities"] = np.eye(1, 10, dtype=np.float32)
    answers = {f"{split}_{key}": a for split in predictions.SPLITS for key, a in one.items()}
    return {
        "idx": (lambda path: idx.read_idx(path, ndim=3), [idx_file, gzip.compress(idx_file)]),
        "npz": (npz.read_npz, [packed(np.savez, keras), packed(np.savez_compressed, keras)]),
        "predictions": (predictions.read_predictions, [packed(np.savez_compressed, answers)]),
    }


def packed(save: Callable[..., None], arrays: dict[str, Any]) -> bytes:
    """Return what ``save`` writes to a file."""
    file = io.BytesIO()
    save(file, **arrays)
    return file.getvalue()


def damaged(content: bytes, other: bytes, rng: random.Random) -> bytes:
    """Overwrite, cut, repeat or splice a few places."""
    new = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 4))):
        place, length = rng.randrange(len(new) + 1), rng.choice((1, 1, 2, 4, 16))
        piece = rng.choice(
            (
                rng.randbytes(length),
                struct.pack("<I", rng.choice((0, 1, 0xFFFF, 2**31, 2**32 - 1))),
                bytes([new[place % len(new)] ^ (1 << rng.randrange(8))]) if new else b"",
                other[place : place + 64],
            )
        )
        new[place : place + rng.choice((0, len(piece), len(piece), 64))] = piece
    return bytes(new if rng.random() < 0.9 else new[: rng.randrange(len(new) + 1)])


def run(read: Callable[[Path], object], path: Path) -> tuple[set[Place], str]:
    """Return the lines that a reader passes, and where it fails with an error not of ours."""
    lines: set[Place] = set()

    def trace(frame: FrameType, event: str, arg: object) -> Any:
        if not any(name in frame.f_code.co_filename for name in BENEATH):
            return None
        lines.add((frame.f_code.co_filename, frame.f_lineno))
        return trace

    sys.settrace(trace)
    try:
        read(path)
    except UserError as error:
        problem = "" if str(error).isprintable() else f"not one printable line: {error!r}"
    except BaseException:  # whatever else comes out is what is looked for
        problem = traceback.format_exc(limit=-1)
    else:
        problem = ""
    finally:
        sys.settrace(None)
    return lines, problem


def fuzz(name: str, seconds: float, rng: random.Random) -> dict[str, Any]:
    """Feed one reader for some seconds, and count how its errors end."""
    read, corpus = seeds()[name]
    seen: set[Place] = set()
    crashes: dict[str, str] = {}
    runs, end = 0, time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        while time.monotonic() < end or runs < len(corpus):
            sound = runs < len(corpus)
            content = (
                corpus[runs] if sound else damaged(rng.choice(corpus), rng.choice(corpus), rng)
            )
            path.write_bytes(content)
            lines, problem = run(read, path)
            if problem:
                crashes.setdefault(problem, content.hex())
            elif not sound and not lines <= seen and len(content) < 10_000:
                corpus.append(content)
            seen |= lines
            runs += 1
    own = sum(file in WATCHED for file, _ in seen)
    return {
        "executions": runs,
        "lines_of_the_readers": own,
        "lines_with_the_libraries": len(seen),
        "files_that_reached_new_lines": len(corpus) - len(seeds()[name][1]),
        "crashes": crashes,
    }


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="for each reader")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    result = {
        "command": f"python tests/faults/fuzz_readers.py --seconds {options.seconds:g}",
        "seed": options.seed,
        "machine": f"{platform.system()} {platform.machine()}",
        "versions": {"python": platform.python_version(), "numpy": np.__version__},
        "readers": {name: fuzz(name, options.seconds, rng) for name in seeds()},
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
