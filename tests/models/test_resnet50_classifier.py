"""The strategies of ResNet50: weights, parameters, features and checkpoints."""

import hashlib
import json
import logging
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from bad_servers import Server
from lightning import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor
from torchvision.models import resnet50

from mnist_lightning.data.augmentation import Augmentation
from mnist_lightning.data.datamodule import MNISTDataModule
from mnist_lightning.data.digits import Digits
from mnist_lightning.errors import UserError, WeightsError
from mnist_lightning.models import ResNet50Classifier, feature_cache
from mnist_lightning.models import pretrained as weights
from mnist_lightning.models.feature_extraction import extraction_precision
from mnist_lightning.models.pretrained import Pretrained
from mnist_lightning.models.staged_classifier import StagedUnfreezing

MakeTrainer = Callable[..., Trainer]
STRATEGIES = ["frozen", "finetune", "scratch"]


def _classifier(**options: Any) -> ResNet50Classifier:
    torch.manual_seed(0)
    return ResNet50Classifier(**{"weights": "none", "image_size": 32, **options})


def _few(data: MNISTDataModule) -> MNISTDataModule:
    """Keep eight training and four validation images, in batches of four."""
    data.batch_size = 4
    data.train, data.val = data.train[:8], data.val[:4]
    return data


@pytest.fixture
def few(tiny_data: MNISTDataModule) -> MNISTDataModule:
    return _few(tiny_data)


def _backbone(model: ResNet50Classifier) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.network.backbone.state_dict().items()}


def _equal(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


@pytest.mark.parametrize(
    ("strategy", "learning"),
    [("frozen", 20_490), ("finetune", 23_528_522), ("scratch", 23_528_522)],
)
def test_trained_parameters_are_counted_and_in_one_group_each(strategy: str, learning: int) -> None:
    model = _classifier(strategy=strategy)
    parameters = list(model.learning_parameters())
    assert sum(p.numel() for p in parameters) == learning
    assert sum(p.numel() for p in model.network.parameters()) == 23_528_522
    grouped = [id(p) for group in model._parameter_groups() for p in group["params"]]
    assert sorted(grouped) == sorted(map(id, parameters))


@pytest.mark.usefixtures("short_network")
@pytest.mark.parametrize(
    ("strategy", "choice", "title", "label"),
    [
        ("frozen", "imagenet", "ResNet50 (frozen)", "ImageNet (IMAGENET1K_V2)"),
        ("finetune", "imagenet_v1", "ResNet50 (fine-tuned)", "ImageNet (IMAGENET1K_V1)"),
        ("frozen", "my.pth", "ResNet50 (frozen, the file my.pth)", "the file my.pth"),
        ("frozen", "none", "ResNet50 (frozen, random initialisation)", "random initialisation"),
        (
            "finetune",
            "none",
            "ResNet50 (fine-tuned, random initialisation)",
            "random initialisation",
        ),
        (
            "scratch",
            "none",
            "ResNet50 (from scratch, random initialisation)",
            "random initialisation",
        ),
    ],
)
def test_title_and_label_name_the_initial_weights(
    strategy: str, choice: str, title: str, label: str
) -> None:
    model = _classifier(strategy=strategy, weights=choice)
    assert (model.title, model.weights) == (title, label)


@pytest.mark.usefixtures("short_network")
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_hyperparameters_are_plain_and_complete(strategy: str) -> None:
    hparams = dict(_classifier(strategy=strategy, learning_rate=0.5).hparams)
    assert json.loads(json.dumps(hparams)) == {
        "weights": "none",
        "strategy": strategy,
        "image_size": 32,
        "dropout": 0.0,
        "stage_starts": [0.0, 0.2, 0.4],
        "stage_rates": [1.0, 0.1, 0.02],
        "warmup": 0.05,
        "feature_cache_dir": None,
        "augmented_passes": 0,
        "contrast_normalisation": True,
        "feature_layer": "layer4",
        "learning_rate": 0.5,
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strategy": "scratch", "weights": "imagenet"}, "use --model.weights none with it"),
        ({"strategy": "scratch", "feature_layer": "layer3"}, "needs --model.strategy frozen"),
        ({"stage_starts": (0.1, 0.2, 0.3)}, "stage_starts must ascend from 0"),
        ({"stage_starts": (0.0, 0.5, 0.2)}, "stage_starts must ascend from 0"),
        ({"stage_starts": (0.0, 0.5, 1.0)}, "stay below 1"),
        ({"stage_starts": (0.0, math.nan, math.nan)}, "stay below 1"),
        ({"stage_rates": (1.0, 0.0, 0.1)}, "stage_rates must be above 0"),
        ({"stage_rates": (1.0, math.nan, math.inf)}, "stage_rates must be above 0"),
        ({"warmup": 1.0}, "warmup must be"),
        ({"augmented_passes": -1}, "augmented_passes must be 0"),
        ({"augmented_passes": 1, "strategy": "finetune"}, "not 1 with finetune"),
    ],
)
def test_contradicting_options_are_refused_by_name(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        _classifier(**options)


@pytest.fixture(scope="module")
def stand_in() -> dict[str, Tensor]:
    """Random weights with the names and shapes of torchvision's."""
    torch.manual_seed(7)
    return resnet50().state_dict()


@pytest.fixture(scope="module")
def stand_in_file(stand_in: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "stand-in.pth"
    torch.save(stand_in, path)
    return path


def _publish(monkeypatch: pytest.MonkeyPatch, base_url: str, file: Path) -> str:
    name = f"resnet50-{hashlib.sha256(file.read_bytes()).hexdigest()[:8]}.pth"
    entry = Pretrained("stand-in", f"{base_url}{name}")
    monkeypatch.setitem(weights.PRETRAINED, "imagenet", entry)
    return name


@pytest.mark.parametrize("way", ["path", "cache", "server"])
def test_weights_are_loaded_into_the_backbone_from_a_path_the_cache_or_a_server(
    way: str,
    stand_in: dict[str, Tensor],
    stand_in_file: Path,
    server: Server,
    hub: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = _publish(monkeypatch, server.url, stand_in_file)
    if way == "cache":
        hub.mkdir(parents=True)
        (hub / name).symlink_to(stand_in_file)
    elif way == "server":
        server.files[f"/{name}"] = stand_in_file.read_bytes()
    model = _classifier(weights=str(stand_in_file) if way == "path" else "imagenet")
    head = model.network.head.weight.clone()

    model.load_pretrained()

    expected = {name: value for name, value in stand_in.items() if not name.startswith("fc.")}
    assert _equal(_backbone(model), expected)
    assert torch.equal(model.network.head.weight, head)


@pytest.mark.usefixtures("short_network")
@pytest.mark.parametrize(("strategy", "warnings"), [("frozen", 1), ("finetune", 1), ("scratch", 0)])
def test_none_keeps_the_random_weights_and_logs_a_warning_except_from_scratch(
    strategy: str, warnings: int, caplog: pytest.LogCaptureFixture
) -> None:
    model = _classifier(strategy=strategy)
    before = _backbone(model)
    with caplog.at_level(logging.WARNING):
        model.load_pretrained()
    assert _equal(_backbone(model), before)
    assert sum("random initialisation" in message for message in caplog.messages) == warnings


@pytest.mark.usefixtures("short_network")
def test_a_checkpoint_is_enough_to_rebuild_the_model(
    few: MNISTDataModule,
    make_trainer: MakeTrainer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_network(*args: Any, **kwargs: Any) -> Path:
        raise AssertionError("the weights were resolved")

    monkeypatch.setattr("mnist_lightning.models.pretrained.resolve_weights", no_network)
    model, saver = _classifier(weights="imagenet"), ModelCheckpoint(tmp_path / "saved")
    make_trainer(saver, StagedUnfreezing(model.network, model.stages)).fit(model, few)

    loaded = ResNet50Classifier.load_from_checkpoint(saver.best_model_path, map_location="cpu")

    assert _equal(loaded.network.state_dict(), model.network.state_dict())
    assert loaded.title == "ResNet50 (frozen)"


@pytest.mark.usefixtures("short_network")
def test_features_and_their_images_give_the_same_logits(tiny_digits: Digits) -> None:
    model, images = _classifier().eval(), tiny_digits.images[:4]
    with torch.no_grad():
        features = model.network.features(images).half()
        torch.testing.assert_close(model(features), model(images), atol=2e-3, rtol=2e-3)


def _head_after(
    data: MNISTDataModule, make_trainer: MakeTrainer, *, cached: bool, **options: Any
) -> Tensor:
    model = _classifier(learning_rate=0.01, **options)
    before = _backbone(model)
    if cached:
        assert model.precompute is not None
        data.precompute_with(model.precompute, model.augmented_passes)
    unfreezing = StagedUnfreezing(model.network, model.stages)
    make_trainer(unfreezing, max_epochs=2).fit(model, data)
    # Neither the weights nor the batch statistics may change, on images or on features.
    assert _equal(_backbone(model), before)
    return model.network.head.weight.detach()


@pytest.mark.usefixtures("short_network")
def test_training_on_cached_features_equals_training_on_images(
    few: MNISTDataModule, make_trainer: MakeTrainer, tmp_path: Path
) -> None:
    start = _classifier().network.head.weight.detach()
    uncached = _head_after(few, make_trainer, cached=False)
    cached = _head_after(few, make_trainer, cached=True)
    assert len(list((tmp_path / "feature_cache").glob("*.bin"))) == 2
    # Features are stored with 11 significant bits.
    assert (cached - uncached).abs().max() < 0.02 * (uncached - start).abs().max()


@pytest.mark.usefixtures("short_network")
def test_a_second_training_computes_no_features(
    few: MNISTDataModule,
    make_trainer: MakeTrainer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    few.augmentation = Augmentation()
    options = {"augmented_passes": 2, "feature_cache_dir": str(tmp_path / "elsewhere")}
    first = _head_after(few, make_trainer, cached=True, **options)
    assert len(list((tmp_path / "elsewhere").glob("*.bin"))) == 4
    assert not (tmp_path / "feature_cache").exists()

    def no_backbone(*args: Any) -> None:
        raise AssertionError("the backbone was run again")

    monkeypatch.setattr(feature_cache, "FeatureExtractor", no_backbone)
    assert torch.equal(_head_after(few, make_trainer, cached=True, **options), first)


def test_only_frozen_precomputes(short_network: None) -> None:
    precomputing = [one for one in STRATEGIES if _classifier(strategy=one).precompute is not None]
    assert precomputing == ["frozen"]


@pytest.mark.parametrize(
    ("trainer", "extraction"),
    [
        ("bf16-mixed", "bf16-mixed"),
        ("bf16-true", "bf16-mixed"),
        ("32-true", "32-true"),
        ("16-mixed", "32-true"),
        ("64-true", "32-true"),
    ],
)
def test_features_are_computed_in_bfloat16_if_the_trainer_uses_it(
    trainer: str, extraction: str
) -> None:
    assert extraction_precision(trainer) == extraction


@pytest.mark.usefixtures("short_network")
def test_a_checkpoint_of_another_strategy_is_refused(
    few: MNISTDataModule, make_trainer: MakeTrainer, tmp_path: Path
) -> None:
    model, path = _classifier(), tmp_path / "one.ckpt"
    trainer = make_trainer(max_steps=1)
    trainer.fit(model, few)
    trainer.save_checkpoint(path)
    checkpoint = torch.load(path, weights_only=True)
    model.check_resumable(checkpoint)
    for strategy in ("finetune", "scratch"):
        with pytest.raises(UserError, match=r"resume with its --model\.strategy"):
            _classifier(strategy=strategy).check_resumable(checkpoint)
    with pytest.raises(UserError, match=r"with --model\.image_size \d+; resume with that"):
        _classifier(image_size=99).check_resumable(checkpoint)


def test_missing_weights_are_not_replaced_by_random_ones(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"missing\.pth does not exist"):
        _classifier(weights=str(tmp_path / "missing.pth")).load_pretrained()
