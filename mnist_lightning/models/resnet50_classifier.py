"""The LightningModule that trains ResNet50: frozen, fine-tuned or from scratch."""

import logging
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from torch import Tensor

from mnist_lightning.errors import UserError, check_range
from mnist_lightning.models import pretrained
from mnist_lightning.models.feature_cache import cached_features
from mnist_lightning.models.feature_extraction import extraction_precision
from mnist_lightning.models.resnet50 import FeatureLayer, ResNet50
from mnist_lightning.models.staged_classifier import StagedClassifier
from mnist_lightning.models.stages import Stage
from mnist_lightning.records.weights_origin import WeightsOrigin

log = logging.getLogger(__name__)

FEATURE_CACHE = "feature_cache"
"""Folder of the cached features of a frozen backbone, in the output folder."""

Strategy = Literal["frozen", "finetune", "scratch"]


#: The name of each strategy in figures and tables, and the parts of the network that it trains, in
#: the order of their stages. A part may contain earlier ones; modules in none of them stay frozen.
STRATEGIES: dict[Strategy, tuple[str, tuple[str, ...]]] = {
    "frozen": ("frozen", ("head",)),
    "finetune": ("fine-tuned", ("head", "backbone.layer4", "backbone")),
    "scratch": ("from scratch", ("",)),
}


class ResNet50Classifier(StagedClassifier):
    """Trains ResNet50 from pretrained weights or from random initialisation.

    The weights are loaded by ``load_pretrained`` and not by the constructor, so that
    ``load_from_checkpoint`` needs nothing but the checkpoint.

    Args:
        weights: `imagenet` and `imagenet_v1` are torchvision's weights, `none` is random
            initialisation; anything else is the path of a state dict, .safetensors or .pth. Title,
            source and licence in the metadata of a .safetensors file are recorded.
        strategy: `frozen` trains the head on features that are computed once, `finetune` unfreezes
            the head, the last stage and the rest one after the other, `scratch` trains everything
            from random initialisation.
        image_size: Side in pixels to which the digits are enlarged, at least 28.
        dropout: Dropout probability before the last layer.
        stage_starts: When the training of the head, the last stage and the rest starts, as shares
            of the training; only `finetune` uses the second and the third.
        stage_rates: Their peak learning rates, as multiples of learning_rate.
        warmup: Share of the training during which a stage's learning rate rises.
        feature_cache_dir: Folder for the cached features of `frozen`; null for one in output_dir.
        augmented_passes: Number of distorted copies of the training images for `frozen`, whose
            epochs cycle through the features of the images and of each copy.
        contrast_normalisation: Whether the network first normalises the contrast of each image.
        feature_layer: The last layer of the backbone, for `frozen`: earlier features are less
            specific to ImageNet's classes.
        **training: Arguments of DigitClassifier.

    Raises:
        UserError: Options contradict each other or are out of range.
    """

    network: ResNet50

    def __init__(
        self,
        weights: str = "imagenet",
        strategy: Strategy = "frozen",
        image_size: int = 64,
        dropout: float = 0.0,
        stage_starts: tuple[float, float, float] = (0.0, 0.2, 0.4),
        stage_rates: tuple[float, float, float] = (1.0, 0.1, 0.02),
        warmup: float = 0.05,
        feature_cache_dir: str | None = None,
        augmented_passes: int = 0,
        contrast_normalisation: bool = True,
        feature_layer: FeatureLayer = "layer4",
        **training: Any,
    ) -> None:
        _check_strategy(strategy, weights, augmented_passes, feature_layer)
        _check_stages(stage_starts, stage_rates, warmup)
        network = ResNet50(image_size, dropout, contrast_normalisation, feature_layer)
        super().__init__(network=network, **training)
        self.save_hyperparameters(logger=False)
        parts = STRATEGIES[strategy][1]
        self.weights = pretrained.weights_label(weights)
        self._set_title(self.weights)
        # A strategy with fewer parts ignores the later starts and rates.
        self.stages = tuple(map(Stage, parts, stage_starts, stage_rates))
        self.warmup = warmup
        if strategy == "frozen":
            self.precompute = self._cached_features
            self.augmented_passes = augmented_passes

    def load_pretrained(self) -> None:
        """Load the pretrained weights into the backbone, from a file, the cache or the network.

        Raises:
            WeightsError: The weights are not available or are not those of a ResNet50.
        """
        choice = self.hparams["weights"]
        path = pretrained.resolve_weights(choice)
        if path is not None:
            pretrained.load_backbone(self.network, path)
            self._set_origin(pretrained.origin_of(choice, path))
        elif self.hparams["strategy"] != "scratch":
            log.warning(
                "--model.weights none: the backbone starts from %s; leave the option out for "
                "ImageNet weights",
                self.weights,
            )

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Save what the file of weights said, which need not be there when the run resumes."""
        super().on_save_checkpoint(checkpoint)
        checkpoint["weights_origin"] = self.weights_origin and asdict(self.weights_origin)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore the description of the file of weights; old checkpoints have none."""
        if origin := checkpoint.get("weights_origin"):
            self._set_origin(WeightsOrigin(**origin))

    def _set_origin(self, origin: WeightsOrigin) -> None:
        self.weights_origin = origin
        self.weights = origin.label
        self._set_title(origin.title)

    def _set_title(self, weights: str) -> None:
        # The title mentions weights other than those that the presets ask for.
        choice, layer = self.hparams["weights"], self.hparams["feature_layer"]
        suffix = "" if choice in pretrained.PRETRAINED else f", {weights}"
        if layer != "layer4":
            suffix = f" after {layer}{suffix}"
        label = STRATEGIES[self.hparams["strategy"]][0]
        self.title = f"ResNet50 ({label}{suffix})"

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits ``(N, 10)`` of uint8 images ``(N, 1, 28, 28)`` or cached features."""
        if images.ndim == 2:  # (N, num_features), float16
            return self.network.classify(images.to(self.network.head.weight.dtype))
        return super().forward(images)

    def _cached_features(self, images: Tensor, title: str) -> Tensor:
        """Return the backbone's features, float16 ``(N, num_features)``, memory-mapped."""
        folder = self.hparams["feature_cache_dir"]
        if folder is None:
            folder = Path(self.trainer.default_root_dir) / FEATURE_CACHE
        path = Path(folder).expanduser()
        precision = extraction_precision(str(self.trainer.precision))
        return cached_features(self.network, images, folder=path, precision=precision, title=title)


def _check_strategy(
    strategy: Strategy, weights: str, augmented_passes: int, feature_layer: FeatureLayer
) -> None:
    if strategy == "scratch" and weights != pretrained.NO_WEIGHTS:
        raise UserError(
            f"--model.strategy scratch starts from random weights: use --model.weights "
            f"{pretrained.NO_WEIGHTS} with it, not {weights}"
        )
    if augmented_passes < 0 or (augmented_passes and strategy != "frozen"):
        raise UserError(
            f"--model.augmented_passes must be 0, or more with --model.strategy frozen, not "
            f"{augmented_passes} with {strategy}"
        )
    if feature_layer != "layer4" and strategy != "frozen":
        raise UserError(
            f"--model.feature_layer {feature_layer} needs --model.strategy frozen, not {strategy}"
        )


def _check_stages(starts: tuple[float, ...], rates: tuple[float, ...], warmup: float) -> None:
    ascending = list(starts) == sorted(starts) and all(0 <= start < 1 for start in starts)
    if starts[0] != 0 or not ascending:
        raise UserError(f"--model.stage_starts must ascend from 0 and stay below 1, not {starts}")
    if not all(0 < rate < math.inf for rate in rates):
        raise UserError(f"--model.stage_rates must be above 0, not {rates}")
    check_range("--model.warmup", warmup, 0, 1, below=True)
