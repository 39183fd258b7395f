"""Fuzzing of the readers: errors of other types than ours on damaged IDX, npz and prediction files.

    python -m benchmarks.fuzz_readers [--seconds 60] [--seed 0]

Files that reach new lines of code are kept and damaged further. The result counts how often each
reader ran and how many lines were reached, and lists every error that is not a UserError with a
printable message.
"""

import argparse
import gzip
import io
import random
import struct
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from benchmarks.harness import print_machine, write_result
from mnist_lightning.data import checks, idx, npz
from mnist_lightning.errors import UserError
from mnist_lightning.records import predictions

# New lines of the readers and of the libraries that they call lead to new inputs.
READERS = (checks.__file__, idx.__file__, npz.__file__, predictions.__file__)
TRACED = ("zipfile", "gzip.py", "numpy/lib", "mnist_lightning")
Line = tuple[str, int]


def seeds() -> dict[str, tuple[Callable[[Path], object], list[bytes]]]:
    """Return each reader with valid files, small enough to be damaged anywhere."""
    images = np.zeros((1, 28, 28), np.uint8)
    idx_file = struct.pack(">4B3I", 0, 0, 8, 3, 1, 28, 28) + images.tobytes()
    keras = {f"{kind}_{part}": a for part in ("train", "test") for kind, a in [("x", images)]}
    keras |= {"y_train": np.zeros(1, np.uint8), "y_test": np.zeros(1, np.int64)}
    one = {"labels": np.zeros(1, np.int64), "indices": np.zeros(1, np.int64)}
    one["probabilities"] = np.eye(1, 10, dtype=np.float32)
    splits = {f"{split}_{key}": a for split in predictions.SPLITS for key, a in one.items()}
    return {
        "idx": (lambda path: idx.read_idx(path, ndim=3), [idx_file, gzip.compress(idx_file)]),
        "npz": (npz.read_npz, [packed(np.savez, keras), packed(np.savez_compressed, keras)]),
        "predictions": (predictions.read_predictions, [packed(np.savez_compressed, splits)]),
    }


def packed(save: Callable[..., None], arrays: dict[str, Any]) -> bytes:
    """Return what ``save`` writes to a file."""
    file = io.BytesIO()
    save(file, **arrays)
    return file.getvalue()


def damaged(content: bytes, other: bytes, rng: random.Random) -> bytes:
    """Overwrite, cut, repeat or splice up to four pieces of a file."""
    new = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 4))):
        start, length = rng.randrange(len(new) + 1), rng.choice((1, 1, 2, 4, 16))
        piece = rng.choice(
            (
                rng.randbytes(length),
                struct.pack("<I", rng.choice((0, 1, 0xFFFF, 2**31, 2**32 - 1))),
                bytes([new[start % len(new)] ^ (1 << rng.randrange(8))]) if new else b"",
                other[start : start + 64],
            )
        )
        new[start : start + rng.choice((0, len(piece), len(piece), 64))] = piece
    return bytes(new if rng.random() < 0.9 else new[: rng.randrange(len(new) + 1)])


def run(read: Callable[[Path], object], path: Path) -> tuple[set[Line], str]:
    """Return the lines that a reader executes, and any error that is not one of ours."""
    lines: set[Line] = set()

    def trace(frame: FrameType, event: str, arg: object) -> Any:
        if not any(name in frame.f_code.co_filename for name in TRACED):
            return None
        lines.add((frame.f_code.co_filename, frame.f_lineno))
        return trace

    problem = ""
    sys.settrace(trace)
    try:
        read(path)
    except UserError as error:
        if not str(error).isprintable():
            problem = f"not one printable line: {error!r}"
    except BaseException:  # anything else is a finding
        problem = traceback.format_exc(limit=-1)
    finally:
        sys.settrace(None)
    return lines, problem


def fuzz(name: str, seconds: float, rng: random.Random) -> dict[str, Any]:
    """Fuzz one reader for some seconds and count its runs, lines and findings."""
    read, corpus = seeds()[name]
    valid = len(corpus)
    seen: set[Line] = set()
    crashes: dict[str, str] = {}
    runs, end = 0, time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        while time.monotonic() < end or runs < valid:
            is_valid = runs < valid
            content = (
                corpus[runs] if is_valid else damaged(rng.choice(corpus), rng.choice(corpus), rng)
            )
            path.write_bytes(content)
            lines, problem = run(read, path)
            if problem:
                crashes.setdefault(problem, content.hex())
            elif not is_valid and not lines <= seen and len(content) < 10_000:
                corpus.append(content)
            seen |= lines
            runs += 1
    return {
        "executions": runs,
        "lines_of_the_readers": sum(file in READERS for file, _ in seen),
        "lines_with_the_libraries": len(seen),
        "files_that_reached_new_lines": len(corpus) - valid,
        "crashes": crashes,
    }


def main(argv: Sequence[str] | None = None) -> None:
    """Fuzz all readers, print and record."""
    text = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(description=text, allow_abbrev=False)
    parser.add_argument("--seconds", type=float, default=60.0, help="for each reader")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(argv)
    print_machine()
    rng = random.Random(options.seed)
    found = {}
    for name in seeds():
        found[name] = fuzz(name, options.seconds, rng)
        print(name, found[name], flush=True)
    write_result("fuzz_readers", {**vars(options), "numpy": np.__version__, "readers": found})


if __name__ == "__main__":
    main()
