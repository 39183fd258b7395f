"""The networks, and the LightningModules that train them."""

from mnist_lightning.models.classifier import DigitClassifier
from mnist_lightning.models.cnn import CNN
from mnist_lightning.models.cnn_classifier import CNNClassifier

__all__ = ["CNN", "CNNClassifier", "DigitClassifier"]
