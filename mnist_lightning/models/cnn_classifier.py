"""The custom CNN with its training."""

from typing import Any

from mnist_lightning.models.classifier import DigitClassifier
from mnist_lightning.models.cnn import CNN


class CNNClassifier(DigitClassifier):
    """Trains the custom CNN from random weights.

    Args:
        widths: Channels of each stage; between two stages the picture is halved.
        convs_per_stage: 3x3 convolutions in each stage.
        dropout: Probability of dropping a feature before the last layer.
        first_kernel: Side of the very first convolution, odd.
        first_stride: Stride of the very first convolution; 2 leaves a quarter of the
            positions to every layer.
        title: What figures and tables call the model.
        **training: How it is trained, see DigitClassifier.
    """

    def __init__(
        self,
        widths: list[int],
        convs_per_stage: int = 2,
        dropout: float = 0.0,
        first_kernel: int = 3,
        first_stride: int = 1,
        title: str = "Custom CNN",
        **training: Any,
    ) -> None:
        network = CNN(widths, convs_per_stage, dropout, first_kernel, first_stride)
        super().__init__(network=network, **training)
        self.title = title
        self.save_hyperparameters(logger=False)
