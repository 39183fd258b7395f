"""What a training leaves, made in a blink: for the tests of everything that compares."""

import shutil
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from mnist_lightning.comparison.schema import Comparison, read_comparison
from mnist_lightning.data.sources import load_dataset
from mnist_lightning.evaluation.inference import predict_logits
from mnist_lightning.evaluation.metrics import measure, measure_in_detail
from mnist_lightning.export.torchscript import export_torchscript
from mnist_lightning.files.identity import describe_file
from mnist_lightning.records.predictions import Predictions, SplitPredictions, write_predictions
from mnist_lightning.records.record import Record, read_record

GOLDEN_RECORD = Path(__file__).parent / "records" / "record_v1.json"
GOLDEN_COMPARISON = Path(__file__).parent / "comparison" / "comparison_v1.json"
TITLES = {
    "custom_cnn": "Custom CNN",
    "resnet50": "ResNet50, random initialisation",
    "resnet50_finetune": "ResNet50, fine-tuned",
    "resnet50_scratch": "ResNet50 at 64 px, random initialisation",
}
VALIDATION = 50


class Templates(nn.Module):
    """Each digit's mean image, blurred by noise: 7,840 multiply-accumulates."""

    def __init__(self, means: Tensor, noise: float, seed: int) -> None:
        super().__init__()
        self.head = nn.Linear(28 * 28, 10)
        generator = torch.Generator().manual_seed(seed)
        weights = means + noise * torch.randn(means.shape, generator=generator)
        with torch.no_grad():
            self.head.weight.copy_(weights / 28)
            self.head.bias.copy_(-weights.square().sum(1) / 56)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(images.flatten(1).float() / 255)
        return logits


def leave_model(
    folder: Path,
    data_dir: Path,
    name: str,
    noise: float,
    seed: int = 0,
    network: nn.Module | None = None,
) -> Record:
    """Leave the three files of one trained model, as `train.py` does, and return its record."""
    dataset = load_dataset(data_dir, "mnist", download=False)
    train, test = dataset.train, dataset.test
    pixels = train.images.flatten(1).float() / 255
    means = torch.stack([pixels[train.labels == digit].mean(0) for digit in range(10)])
    model_path, predictions_path = folder / f"{name}_model.pt", folder / f"{name}_predictions.npz"
    network = network or Templates(means, noise, seed)
    exported = export_torchscript(network, model_path, test.images)
    kept = torch.arange(VALIDATION)
    validation = predict_logits(exported.model, train.images[kept])
    write_predictions(
        predictions_path,
        Predictions(
            SplitPredictions.from_logits(exported.logits, test.labels, torch.arange(len(test))),
            SplitPredictions.from_logits(validation, train.labels[kept], kept),
        ),
    )
    golden = read_record(GOLDEN_RECORD)
    record = replace(
        golden,
        model=replace(
            golden.model,
            name=name,
            preset=name.replace("custom_", ""),
            title=TITLES.get(name, name),
            file=describe_file(model_path),
        ),
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


def leave_seeds(
    output_dir: Path,
    data_dir: Path,
    seeds: Iterable[int],
    make: Callable[[int], nn.Module | None] = lambda seed: None,
) -> list[Record]:
    """Leave what `train.py --seeds` keeps of each seed of the custom CNN, and return the records.

    Args:
        output_dir: Folder of the artefacts.
        data_dir: Where MNIST-like files lie.
        seeds: The seeds.
        make: Makes the network of a seed; without it, they are templates under noise.
    """
    folder = output_dir / "seeds" / "custom_cnn"
    records = []
    for seed in seeds:
        work = folder / f"seed_{seed}"
        found = leave_model(work, data_dir, "custom_cnn", 2.5, seed, make(seed))
        command = (*found.training.command, "--seed_everything", str(seed))
        records.append(replace(found, training=replace(found.training, command=command)))
        for end in ("model.pt", "predictions.npz"):
            shutil.copyfile(work / f"custom_cnn_{end}", folder / f"seed_{seed}_{end}")
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
