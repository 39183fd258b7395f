"""What every timed training shares: its clock, its command line and the form of its result.

No framework is imported here, so that none has to wait for the import of another.
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
    """When an epoch was over.

    Attributes:
        training_seconds: Seconds since the first training step began.
        process_seconds: Seconds since the process was started.
    """

    training_seconds: float
    process_seconds: float


class Clock:
    """Takes the time of each epoch on two clocks, which stand still while a benchmark does its own.

    Args:
        started: When the process was started, as ``time.time()`` gives it: the only clock that two
            processes share.
        wait: Waits until a device has done all that it was given.

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
        """The first training step begins."""
        self._wait()
        self._first_step = time.perf_counter() - self._paused

    def lap(self) -> None:
        """The last training step of an epoch is over."""
        assert self._first_step is not None, "call start() before the first step"
        self._wait()
        training = time.perf_counter() - self._first_step - self._paused
        self.laps.append(Lap(training, time.time() - self._started - self._paused))

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave out what is done for the benchmark and not for the training."""
        self._wait()
        begin = time.perf_counter()
        yield
        self._wait()
        self._paused += time.perf_counter() - begin


@dataclass(frozen=True)
class TimedTraining:
    """What a training took and what it reached.

    Attributes:
        parameters: Of the network, all of which learn.
        training_images: Images of an epoch.
        precision: Of the arithmetic, in Lightning's words.
        laps: When each epoch was over.
        test_accuracy: Of the weights after each epoch, 0 to 1; measured after the training.
        selected_epoch: The epoch whose weights the recipe delivers, from 1: the best on validation
            images where the recipe looks at some to choose, else the last.
        versions: Of the frameworks, by name.
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
    """Make the command line of a timed training.

    Args:
        description: What is trained; the first line is shown.
        epochs: As published; None where the configuration says it.
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
