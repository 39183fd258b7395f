"""Trains the cells of the learning curve; dataset and features stay in memory between them."""

import logging
import time
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from mnist_lightning.data.appearance import Appearance
from mnist_lightning.data.augmentation import Augmentation
from mnist_lightning.data.datamodule import MNISTDataModule
from mnist_lightning.data.digits import DigitDataset
from mnist_lightning.errors import UserError
from mnist_lightning.evaluation.inference import predict_logits
from mnist_lightning.files.config_file import read_configs
from mnist_lightning.learning_curve.arms import ARMS, Arm
from mnist_lightning.learning_curve.cells import CELL_VERSION, Cell, configuration_hash
from mnist_lightning.learning_curve.frozen_features import (
    Features,
    compute_features,
    freeze_backbone,
)
from mnist_lightning.learning_curve.linear_probe import MOST_ITERATIONS, WEIGHT_DECAY, fit_probe
from mnist_lightning.models import (
    CNNClassifier,
    DigitClassifier,
    ResNet50,
    ResNet50Classifier,
    control_weights,
    pretrained,
)
from mnist_lightning.models.feature_extraction import extraction_precision
from mnist_lightning.models.resnet50_classifier import FEATURE_CACHE
from mnist_lightning.records.environment import describe_environment
from mnist_lightning.records.record import dataset_label
from mnist_lightning.records.weights_origin import WeightsOrigin
from mnist_lightning.terminal.presets import BASE, config_folder, preset_file
from mnist_lightning.training.averaging import WeightAverage
from mnist_lightning.training.study_trainer import StudyTrainer

_TEST_BATCH = 500

log = logging.getLogger(__name__)


class Outcome(NamedTuple):
    """What a training gave: the predicted test digits, its steps and seconds."""

    predicted: Tensor
    steps: int
    seconds: float


class CellTrainer:
    """Trains and tests one arm on a number of labelled images.

    Every result is that of the last optimiser step: no images are set aside to choose an epoch or
    to calibrate. All arms of a seed see the same images, in the same order and with the same
    augmentation where their batches have the same size.

    Args:
        dataset: The dataset; it is split as in every other training of the study.
        weights: What pretrained arms start from, as ``--model.weights``.
        output_dir: Folder of the cached features.
        accelerator: As Lightning's Trainer takes it: ``auto``, ``cpu``, ``gpu``.
        step_limit: Largest number of steps, for a quick check; None for the rule of each arm.
    """

    def __init__(
        self,
        dataset: DigitDataset,
        weights: str,
        output_dir: Path,
        accelerator: str = "auto",
        step_limit: int | None = None,
    ) -> None:
        self.dataset = dataset
        self._weights = weights
        self.output_dir = output_dir
        self._accelerator = accelerator
        self._step_limit = step_limit
        self._environment = describe_environment()
        trainer = self._trainer(1)
        self.device = trainer.strategy.root_device
        self._precision = str(trainer.precision)
        # The arms take turns within each size; at most 0.3 GB for each frozen one.
        frozen = sum(arm.least_steps is None for arm in ARMS)
        self._features = lru_cache(maxsize=frozen)(self._compute_features)

    def settings(self, arm: Arm, size: int, seed: int) -> dict[str, object]:
        """Return the recipe of a cell, ready for JSON.

        Device and precision, which change its errors little, are recorded beside it.

        Raises:
            WeightsError: The pretrained weights are missing or damaged.
        """
        preset = _preset(arm.preset)
        data, model = _data_options(arm), preset["model"]["init_args"]
        epochs = arm.times * preset["trainer"]["max_epochs"]
        steps = arm.steps(size, data["batch_size"], epochs, self.whole)
        start: dict[str, str] = {"weights": arm.start}
        if arm.start != "random":
            start["sha256"] = self._origin.sha256
        shared: dict[str, object] = {
            "arm": arm.name,
            "dataset": self.dataset.fingerprint,
            "start": start,
            "size": size,
            "seed": seed,
        }
        if arm.least_steps is None:
            probe = {"weight_decay": WEIGHT_DECAY, "most_iterations": MOST_ITERATIONS}
            calibration = control_weights.CALIBRATION_IMAGES
            layer = model.get("feature_layer", "layer4")
            features = {"image_size": model["image_size"], "feature_layer": layer}
            recipe = {**features, "calibration": calibration, **probe}
            return {**shared, "steps": 0, "probe": recipe}
        model = {name: value for name, value in model.items() if name != "weights"}
        return {
            **shared,
            "steps": min(steps, self._step_limit or steps),
            "batch_size": data["batch_size"],
            "augmentation": data.get("augmentation"),
            "model": model,
            "ema": preset["ema"],
        }

    def train(self, arm: Arm, size: int, seed: int) -> Cell:
        """Train and test one cell.

        Raises:
            UserError: The weights are missing, there are fewer images, or the training diverged.
        """
        settings = self.settings(arm, size, seed)
        if arm.least_steps is None:
            outcome = self._probe(arm, size, seed)
        else:
            outcome = self._fit(arm, size, seed, int(str(settings["steps"])))
        gpu = self._environment.gpu if self.device.type == "cuda" else None
        wrong = (outcome.predicted.cpu() != self.dataset.test.labels).nonzero().flatten()
        return Cell(
            schema_version=CELL_VERSION,
            arm=arm.name,
            size=size,
            seed=seed,
            tested=len(self.dataset.test),
            wrong=tuple(wrong.tolist()),
            steps=outcome.steps,
            seconds=round(outcome.seconds, 2),
            weights=self._label(arm),
            accelerator=self.device.type,
            device=gpu or self._environment.processor,
            precision=self._precision,
            commit=self._environment.commit,
            dataset=dataset_label(self.dataset.name, self.dataset.fingerprint),
            settings=settings,
            configuration=configuration_hash(settings),
        )

    @cached_property
    def whole(self) -> int:
        """The number of training images of the study's own split."""
        return len(self._data({}, None, 0).train)

    def _label(self, arm: Arm) -> str:
        if arm.start == "random":
            return pretrained.weights_label(pretrained.NO_WEIGHTS)
        label = self._origin.label
        return label if arm.start == "pretrained" else f"random, with the scale of {label}"

    @cached_property
    def _origin(self) -> WeightsOrigin:
        """The file of the pretrained weights."""
        path = pretrained.resolve_weights(self._weights)
        if path is None:
            raise UserError("--weights none leaves nothing to compare with: give ImageNet weights")
        return pretrained.origin_of(self._weights, path)

    def _data(self, options: dict[str, Any], size: int | None, seed: int) -> MNISTDataModule:
        augmentation = options.get("augmentation")
        data = MNISTDataModule(
            batch_size=options.get("batch_size", 128),
            seed=seed,
            augmentation=augmentation and _augmentation(augmentation),
            train_size=size,
        )
        data.use(self.dataset)
        return data

    def _trainer(self, steps: int, **options: Any) -> StudyTrainer:
        return StudyTrainer(
            accelerator=self._accelerator,
            devices=1,
            max_epochs=-1,
            max_steps=steps,
            limit_val_batches=0,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=str(self.output_dir),
            **options,
        )

    def _fit(self, arm: Arm, size: int, seed: int, steps: int) -> Outcome:
        preset = _preset(arm.preset)
        torch.manual_seed(seed)
        model = _classifier(preset["model"], self._weights if arm.start == "pretrained" else None)
        if arm.start == "pretrained":
            model.load_pretrained()
        data, decay = self._data(_data_options(arm), size, seed), preset["ema"]["decay"]
        trainer = self._trainer(steps, callbacks=[WeightAverage(decay)] if decay else [])
        start = time.perf_counter()
        trainer.fit(model, data)
        seconds = time.perf_counter() - start
        assert trainer.global_step == steps, "a shorter training must not be recorded"
        network = model.network.to(self.device).eval()
        images = self.dataset.test.images.to(self.device)
        return Outcome(predict_logits(network, images, _TEST_BATCH).argmax(1), steps, seconds)

    def _probe(self, arm: Arm, size: int, seed: int) -> Outcome:
        # Pretrained features do not depend on the seed.
        features = self._features(arm, 0 if arm.start == "pretrained" else seed)
        data = self._data({}, size, seed)
        chosen = data.train_indices.to(self.device)
        labels = data.train.labels.to(self.device)
        start = time.perf_counter()
        probe = fit_probe(features.train[chosen], labels)
        predicted = probe.predict(features.test)
        seconds = time.perf_counter() - start
        if not probe.converged:
            log.warning("%s, %s digits, seed %s: not converged", arm.title, f"{size:,}", seed)
        return Outcome(predicted, probe.iterations, seconds + size * features.seconds_per_image)

    def _compute_features(self, arm: Arm, seed: int) -> Features:
        torch.manual_seed(seed)
        options = _preset(arm.preset)["model"]["init_args"]
        path = None if arm.start == "random" else pretrained.resolve_weights(self._weights)
        # Unlabelled training images, the same for every number of labelled ones.
        images = self._data({}, None, seed).train[: control_weights.CALIBRATION_IMAGES].images
        layer = options.get("feature_layer", "layer4")
        network = ResNet50(options["image_size"], feature_layer=layer)
        freeze_backbone(network.to(self.device), arm.start, path, images, seed)
        return compute_features(
            network,
            self.dataset,
            folder=self.output_dir / FEATURE_CACHE,
            precision=extraction_precision(self._precision),
            title=arm.title,
        )


def _data_options(arm: Arm) -> dict[str, Any]:
    options: dict[str, Any] = _preset(arm.preset)["data"]
    if arm.augmentation is None:
        return options
    return {**options, "augmentation": _preset(arm.augmentation)["data"].get("augmentation")}


def _augmentation(ranges: dict[str, Any]) -> Augmentation:
    appearance = ranges.get("appearance")
    return Augmentation(**{**ranges, "appearance": appearance and Appearance(**appearance)})


@lru_cache
def _preset(name: str) -> dict[str, Any]:
    return read_configs([config_folder() / f"{BASE}.yaml", preset_file(name)])


def _classifier(described: dict[str, Any], weights: str | None) -> DigitClassifier:
    options = dict(described["init_args"])
    if described["class_path"].endswith(CNNClassifier.__name__):
        return CNNClassifier(**options)
    return ResNet50Classifier(**{**options, "weights": weights or pretrained.NO_WEIGHTS})
