"""The files of trained models, written without training, for the tests of what reads them."""

import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mnist_lightning.comparison.schema import Comparison, read_comparison
from mnist_lightning.data.digits import Digits
from mnist_lightning.data.sources import load_dataset
from mnist_lightning.evaluation.inference import predict_logits
from mnist_lightning.evaluation.metrics import measure, measure_in_detail
from mnist_lightning.export.metadata import Metadata
from mnist_lightning.export.temperature import calibrated_copy
from mnist_lightning.export.torchscript import export_torchscript
from mnist_lightning.export.weights import write_weights
from mnist_lightning.files.identity import describe_file
from mnist_lightning.models import CNNClassifier
from mnist_lightning.models.cnn import MEAN, STD
from mnist_lightning.records.artefacts import kept_files
from mnist_lightning.records.predictions import Predictions, SplitPredictions, write_predictions
from mnist_lightning.records.record import Record, read_record

GOLDEN_RECORD = Path(__file__).parent / "records" / "record_v3.json"
GOLDEN_COMPARISON = Path(__file__).parent / "comparison" / "comparison_v3.json"
METADATA = Metadata("Custom CNN", "MNIST", 0.0, 1, None, None, None, "pytest", None, 0)
TITLES = {
    "custom_cnn": "Custom CNN",
    "resnet50": "ResNet50, random initialisation",
    "resnet50_finetune": "ResNet50, fine-tuned",
    "resnet50_scratch": "ResNet50 at 64 px, random initialisation",
}
VALIDATION = 50
#: A CNN with a single position, whose kernel covers the whole image: a linear classifier.
KERNEL, STRIDE = 57, 28
LINEAR = {
    "widths": [10],
    "convs_per_stage": 1,
    "first_kernel": KERNEL,
    "first_stride": STRIDE,
    "contrast_normalisation": False,
}
LINEAR_MACS = 10 * KERNEL**2 + 10 * 10


def mean_images(train: Digits) -> Tensor:
    """Return the mean image of each digit, float32 ``(10, 784)``, 0 to 1."""
    pixels = train.images.flatten(1).float() / 255
    return torch.stack([pixels[train.labels == digit].mean(0) for digit in range(10)])


def nearest_mean(means: Tensor, noise: float = 0.0, seed: int = 0) -> nn.Module:
    """Return a CNN that predicts the digit with the nearest mean image, blurred by noise.

    Args:
        means: As from ``mean_images``.
        noise: Standard deviation of the noise on them.
        seed: Seed of the noise.
    """
    generator = torch.Generator().manual_seed(seed)
    weights = means + noise * torch.randn(means.shape, generator=generator)
    bias = MEAN * weights.sum(1) / 28 - weights.square().sum(1) / 56
    network = CNNClassifier(**LINEAR).network
    conv, norm, *_ = network.features
    # Keeps all that counts above the ReLU; the head takes it off again.
    shift = 32.0
    with torch.no_grad():
        conv.weight.zero_()
        conv.weight[:, 0, 28:56, 28:56] = STD * weights.view(10, 28, 28) / 28
        norm.weight.fill_((1 + norm.eps) ** 0.5)
        norm.bias.copy_(bias - bias.mean() + shift)
        network.head.weight.copy_(torch.eye(10))
        network.head.bias.fill_(-shift)
    return network.eval()


def write_model(
    folder: Path,
    data_dir: Path,
    name: str,
    noise: float,
    seed: int = 0,
    settings: dict[str, Any] | None = None,
) -> Record:
    """Write the files of one trained model that a record names, and the record.

    Args:
        folder: Where to write them.
        data_dir: Folder with files like those of MNIST.
        name: The model's name.
        noise: See ``nearest_mean``.
        seed: Seed of the noise, or of random weights.
        settings: Arguments of a ``CNNClassifier`` with random weights, instead of
            ``nearest_mean``.

    Returns:
        The record.
    """
    dataset = load_dataset(data_dir, "mnist", download=False)
    train, test = dataset.train, dataset.test
    torch.manual_seed(seed)
    if settings:
        settings = {"contrast_normalisation": True, **settings}
        network = CNNClassifier(**settings).network
    else:
        network = nearest_mean(mean_images(train), noise, seed)
    golden = read_record(GOLDEN_RECORD)
    described = replace(
        golden.model,
        name=name,
        preset=name.replace("custom_", ""),
        title=TITLES.get(name, name),
        hyperparameters=settings or LINEAR,
    )
    kept = torch.arange(VALIDATION)
    network, temperature = calibrated_copy(network, train[kept])
    metadata = replace(METADATA, temperature=temperature, validation_images=VALIDATION)
    model_path = folder / f"{name}_model.pt"
    exported = export_torchscript(network, model_path, test.images, metadata)
    weights_file = write_weights(
        *(network, model_path.with_suffix(".safetensors"), described), metadata.calibration()
    )
    files = {"file": describe_file(model_path), "weights_file": weights_file}
    model = replace(described, **files, temperature=temperature)
    validation = predict_logits(exported.model, train.images[kept])
    predictions_path = folder / f"{name}_predictions.npz"
    write_predictions(
        predictions_path,
        Predictions(
            SplitPredictions.from_logits(exported.logits, test.labels, torch.arange(len(test))),
            SplitPredictions.from_logits(validation, train.labels[kept], kept),
        ),
    )
    record = replace(
        golden,
        model=model,
        dataset=replace(
            golden.dataset,
            name=dataset.name,
            fingerprint=dataset.fingerprint,
            is_standard=dataset.is_standard,
            test=len(test),
        ),
        training=replace(
            golden.training, seed=seed, command=("--model", name, "--data.data_dir", str(data_dir))
        ),
        validation=measure(validation, train.labels[kept]),
        test=measure_in_detail(exported.logits, test.labels),
        predictions=describe_file(predictions_path),
    )
    record.write(folder / f"{name}_metrics.json")
    return record


def write_seeds(
    output_dir: Path,
    data_dir: Path,
    seeds: Iterable[int],
    settings: dict[str, Any] | None = None,
) -> list[Record]:
    """Write the files that `train.py --seeds` keeps of each seed of the custom CNN.

    Args:
        output_dir: Folder of the artefacts.
        data_dir: Folder with files like those of MNIST.
        seeds: The seeds.
        settings: See ``write_model``.

    Returns:
        Their records.
    """
    folder = output_dir / "seeds" / "custom_cnn"
    records = []
    for seed in seeds:
        work = folder / f"seed_{seed}"
        found = write_model(work, data_dir, "custom_cnn", 2.5, seed, settings)
        command = (*found.training.command, "--seed_everything", str(seed))
        records.append(replace(found, training=replace(found.training, command=command)))
        for path in kept_files(work, "custom_cnn")[:-1]:
            end = path.name.removeprefix("custom_cnn")
            shutil.copyfile(path, folder / f"seed_{seed}{end}")
        records[-1].write(folder / f"seed_{seed}_metrics.json")
    return records


def golden_comparison(models: int = 2) -> Comparison:
    """The golden comparison, with its two models repeated under other names up to four."""
    golden = read_comparison(GOLDEN_COMPARISON)
    names = list(TITLES)[:models]
    described = tuple(
        replace(golden.models[place % 2], name=name, title=TITLES[name])
        for place, name in enumerate(names)
    )
    pairs = tuple(
        replace(golden.pairs[0], first=first, second=second)
        for place, first in enumerate(names)
        for second in names[place + 1 :]
    )
    disputed = tuple(
        replace(image, answers=(image.answers * 2)[:models]) for image in golden.disputed
    )
    return replace(golden, models=described, pairs=pairs, disputed=disputed)
