"""The networks and the LightningModules that train them."""

from mnist_lightning.models.classifier import DigitClassifier
from mnist_lightning.models.cnn import CNN
from mnist_lightning.models.cnn_classifier import CNNClassifier
from mnist_lightning.models.resnet50 import ResNet50
from mnist_lightning.models.resnet50_classifier import ResNet50Classifier
from mnist_lightning.models.soft_voting import Ensemble

__all__ = ["CNN", "CNNClassifier", "DigitClassifier", "Ensemble", "ResNet50", "ResNet50Classifier"]
