"""The CNN that Keras studies of MNIST usually train.

    python -m benchmarks.peers.keras_study --output FILE [--seed 0] [--epochs 12]

Convolutions 3x3x32 and 3x3x64, pooling, dropout 0.25, 128 hidden units, dropout 0.5: 1.2 million
parameters. Adam, batches of 128, 12 epochs on all training images.
"""

from collections.abc import Sequence
from typing import Any

from keras import Sequential, layers

from benchmarks.peers.keras_training import run

EPOCHS = 12


def build_network() -> Any:
    """Build the network."""
    return Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Dropout(0.25),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ]
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Train and write the result."""
    run(__doc__, build_network, argv, epochs=EPOCHS, batch_size=128)


if __name__ == "__main__":
    main()
