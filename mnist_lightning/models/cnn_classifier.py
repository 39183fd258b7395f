"""The LightningModule of the custom CNN."""

import math
from typing import Any

from mnist_lightning.errors import UserError
from mnist_lightning.files.limits import TITLE, check
from mnist_lightning.models.classifier import DigitClassifier
from mnist_lightning.models.cnn import CNN


class CNNClassifier(DigitClassifier):
    """Trains the custom CNN from random weights.

    Args:
        widths: Output channels of each stage; the image is halved between two stages.
        convs_per_stage: Number of convolutions in each stage.
        dropout: Dropout probability before the last layer.
        first_kernel: Kernel size of the first convolution, odd; all others are 3x3.
        first_stride: Stride of the first convolution; 2 leaves a quarter of the positions.
        contrast_normalisation: Whether the network first normalises the contrast of each image.
        teacher: A trained model, such as custom_cnn_ensemble, or the path of a model file, whose
            probabilities replace the labels of the training images, so that label_smoothing has
            no effect and is recorded as 0; null to train on the labels.
        teacher_temperature: Divides the teacher's logits, above 0.
        title: The model's name in figures and tables.
        **training: Arguments of DigitClassifier.
    """

    def __init__(
        self,
        widths: list[int],
        convs_per_stage: int = 2,
        dropout: float = 0.0,
        first_kernel: int = 3,
        first_stride: int = 1,
        contrast_normalisation: bool = True,
        teacher: str | None = None,
        teacher_temperature: float = 1.0,
        title: str = "Custom CNN",
        **training: Any,
    ) -> None:
        check(TITLE, title, "--model.title")
        network = CNN(
            widths, convs_per_stage, dropout, first_kernel, first_stride, contrast_normalisation
        )
        if teacher is not None:
            training["label_smoothing"] = 0.0  # of labels, which are not used
        super().__init__(network=network, **training)
        if not 0 < teacher_temperature < math.inf:
            raise UserError(
                f"--model.teacher_temperature must be above 0, not {teacher_temperature}"
            )
        self.title = title
        self.save_hyperparameters(logger=False)
