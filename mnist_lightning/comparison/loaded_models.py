"""Loading the models to compare, and checking that their files belong together."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from mnist_lightning.comparison.schema import Verification
from mnist_lightning.data.digits import DigitDataset
from mnist_lightning.data.sources import load_dataset
from mnist_lightning.errors import DataError, OutputError
from mnist_lightning.evaluation.inference import predict_logits
from mnist_lightning.export.loading import load_network
from mnist_lightning.files.identity import FileDescription, check_file, describe_file
from mnist_lightning.records.artefacts import RECORD, folder_of, model_file
from mnist_lightning.records.model_names import report_published
from mnist_lightning.records.predictions import Predictions, SplitPredictions, read_predictions
from mnist_lightning.records.record import Record, making_command, read_record

# Enough to detect a file that did not make the predictions, even if its hash was edited into the
# record, and few enough for a large network on a slow processor.
VERIFIED_IMAGES = 256
# Rounding differs between processors; another network differs by far more.
TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A model with everything that a comparison needs.

    Attributes:
        record: The model's record.
        record_file: The file of the record.
        path: The exported file.
        model: The exported file, loaded.
        predictions: The recorded predictions.
        verification: Agreement of the exported file with the recorded predictions.
    """

    record: Record
    record_file: FileDescription
    path: Path
    model: nn.Module
    predictions: Predictions
    verification: Verification

    @property
    def predicted(self) -> npt.NDArray[np.int64]:
        """The predicted digit of each test image, int64, ``(N,)``."""
        digits: npt.NDArray[np.int64] = self.predictions.test.probabilities.argmax(axis=1)
        return digits

    @property
    def correct(self) -> npt.NDArray[np.bool_]:
        """Whether each test image is classified correctly, bool, ``(N,)``."""
        correct: npt.NDArray[np.bool_] = self.predicted == self.predictions.test.labels
        return correct


def read_records(output_dir: Path, presets: Mapping[str, str]) -> list[Record]:
    """Read the records of several models and check that they share a dataset.

    The published ones are named in the log.

    Args:
        output_dir: The output folder; a model that is not in it is read from the published results.
        presets: The argument of ``--model`` that trains each model, by model name.

    Returns:
        The records, in the order of ``presets``.

    Raises:
        OutputError: A record is missing, damaged, of another schema version, of another model or
            of another dataset than the first.
    """
    records = []
    for name, preset in presets.items():
        path = folder_of(output_dir, name) / f"{name}{RECORD}"
        record = read_record(path, preset)
        if record.model.name != name:
            raise OutputError(
                f"The record {path} is that of '{record.model.name}': make '{name}' with "
                f"`{making_command(name, preset)}`."
            )
        records.append(record)
        first = records[0]
        if record.dataset.fingerprint != first.dataset.fingerprint:
            raise OutputError(
                f"{name} was trained on {record.dataset.label} and {first.model.name} on "
                f"{first.dataset.label}: train one of them again on the data of the other, e.g. "
                f"`{record.making_command}` with the --data options of {first.model.name}."
            )
    files = [model_file(folder_of(output_dir, name), name) for name in presets]
    report_published(files, output_dir)
    return records


def load_dataset_of(record: Record, data_dir: Path) -> DigitDataset:
    """Load the dataset of a record without downloading anything.

    Args:
        record: The record.
        data_dir: Folder with the MNIST files.

    Returns:
        The dataset with the record's fingerprint.

    Raises:
        DataError: The files are missing or contain another dataset.
    """
    embedded = load_dataset(data_dir, "mnist5k") if not record.dataset.is_standard else None
    if embedded and embedded.fingerprint == record.dataset.fingerprint:
        return embedded
    try:
        dataset = load_dataset(data_dir, "mnist", download=False)
    except DataError as error:
        raise DataError(f"{error} Name the folder of the images with --data_dir.") from error
    if dataset.fingerprint != record.dataset.fingerprint:
        raise DataError(
            f"{data_dir} holds {dataset.name} ({dataset.fingerprint[:8]}), but "
            f"{record.model.name} was tested on {record.dataset.label}: name its folder with "
            "--data_dir."
        )
    return dataset


def load_model(output_dir: Path, record: Record, dataset: DigitDataset) -> LoadedModel:
    """Load the files that a record describes and check that they belong together.

    Args:
        output_dir: The output folder; a model that is not in it is among the published results.
        record: The record.
        dataset: The record's dataset.

    Returns:
        The loaded model.

    Raises:
        OutputError: A file is missing or differs from the recorded one, or the predictions are not
            those of the exported file.
    """
    folder = folder_of(output_dir, record.model.name)
    remedy = f"make it again with `{record.making_command}`"
    path = check_file(folder, record.model.file, remedy)
    predictions_path = check_file(folder, record.predictions, remedy)
    predictions = read_predictions(predictions_path, record.model.preset)
    record_path = folder / f"{record.model.name}{RECORD}"
    if not _describes(record, predictions.test, dataset):
        raise OutputError(
            f"{predictions_path.name} and {record_path.name} do not describe the same "
            f"predictions: {remedy}."
        )
    model = load_network(path)
    verification = verify(path, model, predictions.test, dataset.test.images, remedy)
    return LoadedModel(record, describe_file(record_path), path, model, predictions, verification)


def verify(
    path: Path, model: nn.Module, recorded: SplitPredictions, images: Tensor, remedy: str
) -> Verification:
    """Predict some test images again and compare the probabilities with the recorded ones.

    Args:
        path: The file of the model, for the message.
        model: The model.
        recorded: Its recorded predictions for the N test images.
        images: uint8, ``(N, 1, 28, 28)``, the test images.
        remedy: What to do if they differ, for the message.

    Returns:
        The number of images and the largest difference.

    Raises:
        OutputError: The probabilities differ by more than rounding.
    """
    n = min(VERIFIED_IMAGES, len(images))
    chosen = np.linspace(0, len(images) - 1, n).astype(np.int64)
    again = predict_logits(model, images[torch.from_numpy(chosen)]).softmax(dim=1).numpy()
    difference = float(np.abs(again - recorded.probabilities[chosen]).max())
    if difference > TOLERANCE:
        raise OutputError(
            f"{path} gives other probabilities than its recorded predictions (they differ by up "
            f"to {difference:.2g}): {remedy}."
        )
    return Verification(n, difference)


def _describes(record: Record, test: SplitPredictions, dataset: DigitDataset) -> bool:
    labels = dataset.test.labels.numpy()
    correct = int((test.probabilities.argmax(axis=1) == test.labels).sum())
    return (
        np.array_equal(test.labels, labels)
        and np.array_equal(test.indices, np.arange(len(labels)))
        and correct == record.test.correct
    )
