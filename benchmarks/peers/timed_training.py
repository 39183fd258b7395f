"""Shared code of all timed trainings: the clock, the command line and the result.

No framework is imported here, so that the process time of a recipe includes only its own imports.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Lap:
    """The end of an epoch.

    Attributes:
        training_seconds: Seconds since the start of the first training step.
        process_seconds: Seconds since the start of the process.
    """

    training_seconds: float
    process_seconds: float


class Clock:
    """Measures each epoch on two clocks, which can be paused for the work of the benchmark.

    Args:
        started: Start of the process as ``time.time()``, the only clock that processes share.
        wait: Waits until a device has finished its work.

    Attributes:
        laps: The epochs so far.
    """

    def __init__(self, started: float, wait: Callable[[], object] = lambda: None) -> None:
        self.laps: list[Lap] = []
        self._started = started
        self._wait = wait
        self._paused = 0.0
        self._first_step: float | None = None

    def start(self) -> None:
        """Start the training clock, before the first step."""
        self._wait()
        self._first_step = time.perf_counter() - self._paused

    def lap(self) -> None:
        """Record the end of an epoch, after its last step."""
        assert self._first_step is not None, "call start() before the first step"
        self._wait()
        training = time.perf_counter() - self._first_step - self._paused
        self.laps.append(Lap(training, time.time() - self._started - self._paused))

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Pause both clocks."""
        self._wait()
        begin = time.perf_counter()
        yield
        self._wait()
        self._paused += time.perf_counter() - begin


@dataclass(frozen=True)
class TimedTraining:
    """The times and accuracies of a training.

    Attributes:
        parameters: Number of trained parameters.
        training_images: Images of an epoch.
        precision: The precision, named as Lightning's Trainer names it.
        laps: The end of each epoch.
        test_accuracy: Test accuracy of the weights after each epoch, 0 to 1; measured after the
            training.
        selected_epoch: The epoch whose weights the recipe keeps, from 1: the last, but in results
            of older versions of our recipes the best on validation images.
        versions: Versions of the frameworks.
    """

    parameters: int
    training_images: int
    precision: str
    laps: list[Lap]
    test_accuracy: list[float]
    selected_epoch: int
    versions: dict[str, str]

    def write(self, path: Path) -> None:
        """Write everything as JSON."""
        path.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")


def training_parser(description: str | None, epochs: int | None = None) -> argparse.ArgumentParser:
    """Return the parser of a timed training.

    Args:
        description: Docstring of the recipe, whose first line is shown.
        epochs: The published number of epochs; None if the configuration contains it.
    """
    text = (description or "").partition("\n")[0]
    parser = argparse.ArgumentParser(description=text, allow_abbrev=False)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data_dir", type=Path, default=Path("data"), help="torchvision's root")
    parser.add_argument("--output", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--started", type=float, default=time.time(), help="Unix time, in seconds")
    if epochs is not None:
        parser.add_argument("--epochs", type=int, default=epochs)
    return parser
