"""Keras' example `mnist_convnet`, reimplemented from its description.

    python -m benchmarks.peers.keras_convnet --output FILE [--seed 0] [--epochs 15]

Convolutions 3x3x32 and 3x3x64, each pooled, dropout 0.5, a dense layer: 34,826 parameters. Adam,
batches of 128, 15 epochs, a tenth of the training images for validation. Published: 99.22 %.
"""

from collections.abc import Sequence
from typing import Any

from keras import Sequential, layers

from benchmarks.peers.keras_training import run

EPOCHS = 15


def build_network() -> Any:
    """Build the network."""
    return Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ]
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Train and write the result."""
    run(__doc__, build_network, argv, epochs=EPOCHS, batch_size=128, validation_split=0.1)


if __name__ == "__main__":
    main()
