"""A PyTorch Lightning study: a small CNN against a pretrained ResNet50 on MNIST."""

__version__ = "0.3.0"
