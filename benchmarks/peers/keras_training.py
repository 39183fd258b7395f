"""Shared code of the timed trainings in Keras; needs `pip install -e ".[peers]"`."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # hides its messages about the machine
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import tensorflow

from benchmarks.peers.timed_training import Clock, TimedTraining, training_parser


class KerasLaps(keras.callbacks.Callback):
    """Records the time and the weights of each epoch.

    Args:
        clock: The clock.

    Attributes:
        epochs: The weights after each epoch.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock
        self.epochs: list[Any] = []

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Start the clock before the first batch."""
        if epoch == 0:
            self.clock.start()

    def on_test_begin(self, logs: Any = None) -> None:
        """Read the clock after the last step, if a validation follows."""
        self.clock.lap()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Read the clock if there was no validation, and copy the weights."""
        if len(self.clock.laps) == epoch:
            self.clock.lap()
        with self.clock.paused():
            self.epochs.append(self.model.get_weights())


def read_digits(data_dir: Path, split: str) -> tuple[Any, Any]:
    """Read IDX files in torchvision's folders.

    Args:
        data_dir: torchvision's root, with the files in ``MNIST/raw``.
        split: ``train`` or ``t10k``.

    Returns:
        float32 ``(N, 28, 28, 1)`` from 0 to 1, and one-hot float32 ``(N, 10)``.
    """
    folder = data_dir / "MNIST" / "raw"
    pixels = np.fromfile(folder / f"{split}-images-idx3-ubyte", np.uint8, offset=16)
    labels = np.fromfile(folder / f"{split}-labels-idx1-ubyte", np.uint8, offset=8)
    images = pixels.reshape(-1, 28, 28, 1).astype("float32") / 255
    return images, keras.utils.to_categorical(labels, 10)


def warm_up(model: Any, images: Any, labels: Any, fit: dict[str, Any]) -> None:
    """Trace and compile the graph, then restore the weights and the optimiser."""
    model.optimizer.build(model.trainable_variables)
    variables = [*model.weights, *model.optimizer.variables]
    before = [variable.numpy() for variable in variables]
    few = 4 * fit["batch_size"]
    model.fit(images[:few], labels[:few], **{**fit, "epochs": 1})
    for variable, value in zip(variables, before, strict=True):
        variable.assign(value)


def train(
    build: Callable[[], Any],
    data_dir: Path,
    clock: Clock,
    *,
    seed: int,
    epochs: int,
    batch_size: int,
    validation_split: float = 0.0,
) -> TimedTraining:
    """Train with Adam in float32 and test the weights of all epochs afterwards.

    Args:
        build: Builds the network: float32 ``(N, 28, 28, 1)`` to probabilities ``(N, 10)``.
        data_dir: torchvision's root, with the files in ``MNIST/raw``.
        clock: The clock to read after each epoch.
        seed: Seed of the weights, the order and dropout.
        epochs: Passes over the training images.
        batch_size: Images per step.
        validation_split: Share of the training images that Keras validates on after each epoch.
    """
    keras.utils.set_random_seed(seed)
    images, labels = read_digits(data_dir, "train")
    model = build()
    model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    fit = {
        "batch_size": batch_size,
        "epochs": epochs,
        "validation_split": validation_split,
        "verbose": 0,
    }
    warm_up(model, images, labels, fit)
    laps = KerasLaps(clock)
    model.fit(images, labels, callbacks=[laps], **fit)
    test_images, test_labels = read_digits(data_dir, "t10k")
    accuracies = []
    for weights in laps.epochs:
        model.set_weights(weights)
        predicted = model.predict(test_images, batch_size=500, verbose=0).argmax(axis=1)
        accuracies.append(float((predicted == test_labels.argmax(axis=1)).mean()))
    return TimedTraining(
        parameters=model.count_params(),
        training_images=len(images) - int(len(images) * validation_split),
        precision="32-true",
        laps=clock.laps,
        test_accuracy=accuracies,
        selected_epoch=epochs,
        versions={"tensorflow": tensorflow.__version__, "keras": keras.__version__},
    )


def run(
    description: str | None,
    build: Callable[[], Any],
    argv: Sequence[str] | None,
    *,
    epochs: int,
    **options: Any,
) -> None:
    """Parse the arguments, train and write the result; ``options`` are passed to ``train``."""
    arguments = training_parser(description, epochs).parse_args(argv)
    clock = Clock(arguments.started)
    result = train(
        build,
        arguments.data_dir,
        clock,
        seed=arguments.seed,
        epochs=arguments.epochs,
        **options,
    )
    result.write(arguments.output)
