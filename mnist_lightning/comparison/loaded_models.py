"""The models to compare: found by their records, and checked before anything is concluded."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mnist_lightning.comparison.schema import Verification
from mnist_lightning.data.digits import DigitDataset
from mnist_lightning.data.sources import load_dataset
from mnist_lightning.errors import DataError, OutputError
from mnist_lightning.evaluation.inference import predict_logits
from mnist_lightning.export.torchscript import load_torchscript
from mnist_lightning.files.identity import FileDescription, check_file, describe_file
from mnist_lightning.records.predictions import Predictions, SplitPredictions, read_predictions
from mnist_lightning.records.record import Record, making_command, read_record

# Enough to notice a file that is not the one the predictions came from, even if its hash was
# edited into the record, and little enough for a large network on a slow processor.
VERIFIED_IMAGES = 256
# Another processor rounds otherwise; another network differs by far more.
TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A model that takes part.

    Attributes:
        record: Its record.
        record_file: The file of the record.
        path: Its exported file.
        model: The exported file, loaded.
        predictions: Its recorded predictions.
        verification: How far the file agrees with them.
    """

    record: Record
    record_file: FileDescription
    path: Path
    model: torch.jit.ScriptModule
    predictions: Predictions
    verification: Verification


def read_records(output_dir: Path, presets: dict[str, str]) -> list[Record]:
    """Read the records of the models to compare, and check that they may be compared.

    Args:
        output_dir: Folder of the artefacts.
        presets: What ``--model`` takes to train each model, by the model's name, in order.

    Returns:
        The records, in order.

    Raises:
        OutputError: A record is missing, damaged, of another schema version, says another name,
            or belongs to another dataset than the first.
    """
    records = []
    for name, preset in presets.items():
        path = output_dir / f"{name}_metrics.json"
        record = read_record(path, preset)
        if record.model.name != name:
            raise OutputError(
                f"The record {path} is that of '{record.model.name}': make '{name}' with "
                f"`{making_command(name, preset)}`."
            )
        records.append(record)
    _check_same_dataset(records)
    return records


def _check_same_dataset(records: Sequence[Record]) -> None:
    first = records[0]
    for other in records[1:]:
        if other.dataset.fingerprint != first.dataset.fingerprint:
            raise OutputError(
                f"{other.model.name} was trained on {other.dataset.name} "
                f"({other.dataset.fingerprint[:8]}) and {first.model.name} on "
                f"{first.dataset.name} ({first.dataset.fingerprint[:8]}): train one of them again "
                f"on the data of the other, e.g. {_command(other)} with the --data options of "
                f"{first.model.name}."
            )


def load_test_images(record: Record, data_dir: Path) -> DigitDataset:
    """Load the dataset that a record speaks of.

    Args:
        record: The record.
        data_dir: Where the files of MNIST lie.

    Returns:
        The dataset; nothing is downloaded.

    Raises:
        DataError: It is not there, or other images are.
    """
    embedded = load_dataset(data_dir, "mnist5k") if not record.dataset.is_standard else None
    if embedded and embedded.fingerprint == record.dataset.fingerprint:
        return embedded
    try:
        dataset = load_dataset(data_dir, "mnist", download=False)
    except DataError as error:
        raise DataError(f"{error} Say with --data_dir where the images lie.") from error
    if dataset.fingerprint != record.dataset.fingerprint:
        raise DataError(
            f"{data_dir} holds {dataset.name} ({dataset.fingerprint[:8]}), but "
            f"{record.model.name} was tested on {record.dataset.name} "
            f"({record.dataset.fingerprint[:8]}): say with --data_dir where that lies."
        )
    return dataset


def load_model(output_dir: Path, record: Record, dataset: DigitDataset) -> LoadedModel:
    """Load what a record speaks of, and check that it all belongs together.

    Args:
        output_dir: Folder of the artefacts.
        record: The record.
        dataset: The dataset that the record speaks of.

    Returns:
        The model, ready to be compared.

    Raises:
        OutputError: A file is missing, is not the one in the record, or the predictions are not
            those of the exported file.
    """
    path = check_file(output_dir, record.model.file, _remedy(record))
    predictions_path = check_file(output_dir, record.predictions, _remedy(record))
    predictions = read_predictions(predictions_path, record.model.preset)
    _check_predictions(record, predictions.test, dataset)
    try:
        model = load_torchscript(path)
    except (RuntimeError, ValueError) as error:  # the second where names are not UTF-8
        reason = str(error).splitlines()[0]
        raise OutputError(
            f"{path} is not a TorchScript file ({reason:.80}): {_remedy(record)}."
        ) from None
    verification = verify(model, predictions.test, dataset.test.images)
    if verification.max_abs_difference > TOLERANCE:
        raise OutputError(
            f"{path.name} gives other probabilities than {predictions_path.name} holds (they "
            f"differ by up to {verification.max_abs_difference:.2g}): {_remedy(record)}."
        )
    record_file = describe_file(output_dir / f"{record.model.name}_metrics.json")
    return LoadedModel(record, record_file, path, model, predictions, verification)


def verify(
    model: torch.jit.ScriptModule, recorded: SplitPredictions, images: Tensor
) -> Verification:
    """Predict some test images again and compare with what was recorded.

    Args:
        model: The exported model.
        recorded: Its recorded predictions, ``N`` of them.
        images: uint8, ``(N, 1, 28, 28)``.

    Returns:
        How far the two agree.
    """
    n = min(VERIFIED_IMAGES, len(images))
    places = np.linspace(0, len(images) - 1, n).astype(np.int64)
    again = predict_logits(model, images[torch.from_numpy(places)]).softmax(dim=1).numpy()
    difference = np.abs(again - recorded.probabilities[places]).max()
    return Verification(n=n, max_abs_difference=float(difference))


def _check_predictions(record: Record, test: SplitPredictions, dataset: DigitDataset) -> None:
    labels = dataset.test.labels.numpy()
    correct = int((test.probabilities.argmax(axis=1) == test.labels).sum())
    sound = (
        np.array_equal(test.labels, labels)
        and np.array_equal(test.indices, np.arange(len(labels)))
        and correct == record.test.correct
    )
    if not sound:
        raise OutputError(
            f"{record.predictions.name} and {record.model.name}_metrics.json do not describe the "
            f"same predictions: {_remedy(record)}."
        )


def _command(record: Record) -> str:
    return f"`{record.making_command}`"


def _remedy(record: Record) -> str:
    return f"make it again with {_command(record)}"
