"""ResNet50 for digits: torchvision's network with built-in preprocessing and a new head."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models import resnet50

from mnist_lightning.data.digits import CLASSES, SIDE
from mnist_lightning.errors import check_range
from mnist_lightning.models.contrast import ContrastNormalisation
from mnist_lightning.models.matrix_convolution import train_as_products

FeatureLayer = Literal["layer2", "layer3", "layer4"]

FEATURES = 2048
"""Number of features that the whole backbone computes for one image."""

LAYER_FEATURES: dict[FeatureLayer, int] = {"layer2": 512, "layer3": 1024, "layer4": FEATURES}
"""The same after each of the last three of torchvision's four layers."""

MAX_IMAGE_SIZE = 1024

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
"""Mean and standard deviation of ImageNet's RGB values in 0..1, with which nearly all published
weights were trained, torchvision's among them."""


class ResNet50(nn.Module):
    """ResNet50 (He et al. 2016, arXiv:1512.03385, in torchvision's variant) for grey digits.

    Preprocessing is part of the network, so an exported file takes raw pixels. The submodules are
    ``backbone`` (with the keys of a torchvision state dict, without ``fc``) and ``head``.

    Args:
        image_size: Side in pixels to which the digits are enlarged, 28 to 1,024. The cost grows
            with its square; ImageNet networks were trained at 224.
        dropout: Probability of zeroing a feature before the head, 0 to below 1.
        contrast_normalisation: Whether the contrast of each image is normalised first.
        feature_layer: The last layer of the backbone; later ones are left out.

    Shape:
        - Input: uint8 ``(N, 1, 28, 28)``, 0 is background and 255 is ink.
        - Output: float32 ``(N, 10)``, logits.

    Raises:
        UserError: ``image_size`` or ``dropout`` is out of range; the message names the option.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        image_size: int = 64,
        dropout: float = 0.0,
        contrast_normalisation: bool = True,
        feature_layer: FeatureLayer = "layer4",
    ) -> None:
        super().__init__()
        check_range("--model.image_size", image_size, SIDE, MAX_IMAGE_SIZE)
        check_range("--model.dropout", dropout, 0, 1, below=True)
        self.image_size = image_size
        self.contrast = ContrastNormalisation(contrast_normalisation)
        self.backbone = resnet50(weights=None)
        self.backbone.fc = nn.Identity()
        self.num_features = LAYER_FEATURES[feature_layer]
        layers = list(LAYER_FEATURES)
        for later in layers[layers.index(feature_layer) + 1 :]:
            setattr(self.backbone, later, nn.Identity())
        train_as_products(self.backbone)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(self.num_features, CLASSES)
        # Buffers, so that files of weights contain what the weights were trained with.
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of a batch of digits."""
        return self.classify(self.features(images))

    def features(self, images: Tensor) -> Tensor:
        """Run the backbone: return the globally averaged last feature maps.

        Args:
            images: uint8, ``(N, 1, 28, 28)``, 0 to 255.

        Returns:
            float32, ``(N, num_features)``, 2,048 after the last layer, not negative.
        """
        features: Tensor = self.backbone(self.preprocess(images))
        return features.float()  # autocast would return bfloat16

    def classify(self, features: Tensor) -> Tensor:
        """Run the head, the part that is trained when the backbone is frozen.

        Args:
            features: float32, ``(N, num_features)``, the output of ``features``.

        Returns:
            float32 logits, ``(N, 10)``.
        """
        logits: Tensor = self.head(self.dropout(features))
        return logits.float()

    def preprocess(self, images: Tensor) -> Tensor:
        """Convert digits to the input of torchvision's ResNet50: scaled, resized, normalised RGB.

        Args:
            images: uint8, ``(N, 1, 28, 28)``, 0 to 255.

        Returns:
            ``(N, 3, image_size, image_size)`` in the network's dtype.
        """
        grey = self.contrast(images).to(self.mean.dtype)  # (N, 1, 28, 28), 0..1
        # Antialiasing only affects downscaling, which never happens here; without it the kernel is
        # faster and exports to every format.
        grey = F.interpolate(
            grey, size=[self.image_size, self.image_size], mode="bilinear", align_corners=False
        )  # (N, 1, S, S)
        # Broadcasting repeats the grey channel; the three differ only in their normalisation.
        return (grey - self.mean) / self.std  # (N, 3, S, S)
