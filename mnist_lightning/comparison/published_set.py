"""The results that the repository publishes: checked as one set, then copied from finished runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mnist_lightning.comparison.schema import FILE_NAME as COMPARISON_FILE
from mnist_lightning.comparison.schema import Comparison, read_comparison
from mnist_lightning.comparison.seed_study import read_seeds, seed_folder
from mnist_lightning.errors import OutputError
from mnist_lightning.files.identity import check_file, describe_file
from mnist_lightning.files.storage import copy_file
from mnist_lightning.records.artefacts import BASELINE, EXPORTS, PREDICTIONS, RECORD, table_order
from mnist_lightning.records.record import Record, read_record
from mnist_lightning.robustness.error_rates import FILE_NAME as ROBUSTNESS_FILE
from mnist_lightning.robustness.error_rates import Robustness, read_robustness

#: Larger files do not belong in a repository.
MAX_BYTES = 1_000_000
#: What is published of each model besides the files of the network itself.
DESCRIPTIONS = (
    *(RECORD, PREDICTIONS, EXPORTS, "_card.md"),
    *("_confusion_matrix.png", "_examples.png"),
)
CURVES = "_training_curves.png"
#: The files that contain the weights of a network, as far as they are published.
NETWORK_FILES = ("_model.pt", "_model.onnx")
#: The model that is also published as ONNX; it is enough to show the format.
PUBLISHED_AS_ONNX = BASELINE
#: Networks whose weights are too large to publish, and whose licence may forbid it.
UNPUBLISHED_NETWORKS = ("ResNet50",)
COMPARISON = tuple(Path(COMPARISON_FILE).with_suffix(end).name for end in (".png", ".csv", ".md"))
COMPARISON += (Path(COMPARISON_FILE).with_suffix(".html").name, COMPARISON_FILE)
ROBUSTNESS = ("robustness.png", "robustness_corruptions.png", ROBUSTNESS_FILE)


@dataclass(frozen=True)
class PublishedFiles:
    """What was published.

    Attributes:
        copied: The files, below the folder of published results.
        left_out: Files that were not copied, with the reason, one line each.
    """

    copied: tuple[Path, ...]
    left_out: tuple[str, ...]


def publish(output_dir: Path, published: Path) -> PublishedFiles:
    """Copy finished runs into the folder of published results, after checking them as one set.

    Weights of a ResNet50 are never copied: its records, figures and predictions are. Models that
    are published and not in ``output_dir`` stay as they are.

    Args:
        output_dir: Folder of the finished runs.
        published: Folder of the published results.

    Returns:
        What was copied and what was left out.

    Raises:
        OutputError: There is no finished run, a file of one is missing or another one than its
            record names, the runs are of different datasets or not of the standard MNIST, one was
            not made from a clean commit, or the comparison is of other records. Nothing is copied.
    """
    records = _read_records(output_dir)
    _check_one_dataset(records, published)
    sources: list[tuple[Path, Path]] = []
    left_out: list[str] = []
    for record in records:
        _check_clean(record, f"{record.model.name}{RECORD}")
        names = _file_names(output_dir, record, left_out)
        sources += [(output_dir / name, published / name) for name in names]
        sources += _seed_files(output_dir, published, record)
    sources += _study_files(output_dir, published, records)
    for source, destination in sources:
        copy_file(source, destination)
    return PublishedFiles(tuple(destination for _, destination in sources), tuple(left_out))


def contains_unpublished_weights(record: Record) -> bool:
    """Return whether the files of a model contain weights that are never published."""
    described = record.members or record.model
    return described.class_path.rpartition(".")[2] in UNPUBLISHED_NETWORKS


def _read_records(output_dir: Path) -> list[Record]:
    records = [read_record(path) for path in output_dir.glob(f"*{RECORD}")]
    if not records:
        raise OutputError(
            f"There is no finished run in {output_dir} to publish: make one with "
            "`python scripts/train.py --model cnn`."
        )
    return sorted(records, key=lambda record: table_order(record.model.name))


def _check_one_dataset(records: Sequence[Record], published: Path) -> None:
    already = [read_record(path) for path in published.glob(f"*{RECORD}")]
    for record in [*records, *already]:
        if not record.dataset.is_standard:
            raise OutputError(
                f"{record.model.name} was trained on {record.dataset.label}, and only results on "
                "the whole MNIST are published: train it again with --data.source mnist."
            )


def _check_clean(record: Record, name: str) -> None:
    environment = record.environment
    if environment.commit is None or environment.dirty or record.training.commit is None:
        raise OutputError(
            f"{name} was not made from a clean commit, so it cannot be reproduced: commit, then "
            f"run `{record.making_command}`."
        )


def _file_names(output_dir: Path, record: Record, left_out: list[str]) -> list[str]:
    """The files of one model that are published; each of them is there and as recorded."""
    name, remedy = record.model.name, f"make it again with `{record.making_command}`"
    check_file(output_dir, record.model.file, remedy)
    check_file(output_dir, record.predictions, remedy)
    curves = () if record.members else (CURVES,)
    wanted = [f"{name}{end}" for end in (*DESCRIPTIONS, *curves)]
    for file in wanted:
        if not (output_dir / file).is_file():
            raise OutputError(f"There is no {output_dir / file}: {remedy}.")
    ends = NETWORK_FILES if name == PUBLISHED_AS_ONNX else NETWORK_FILES[:1]
    weights = [f"{name}{end}" for end in ends if (output_dir / f"{name}{end}").is_file()]
    if contains_unpublished_weights(record):
        left_out += [f"{file}: weights of a ResNet50 are not published" for file in weights]
        weights = []
    large = [file for file in [*wanted, *weights] if (output_dir / file).stat().st_size > MAX_BYTES]
    left_out += [f"{file}: larger than {MAX_BYTES / 1e6:.0f} MB" for file in large]
    return [file for file in [*wanted, *weights] if file not in large]


def _seed_files(output_dir: Path, published: Path, record: Record) -> list[tuple[Path, Path]]:
    """The records of a model's seeds, if there are several."""
    name = record.model.name
    pairs = []
    for seed in read_seeds(output_dir, record):
        file = f"seed_{seed.training.seed}{RECORD}"
        _check_clean(seed, file)
        pairs.append((seed_folder(output_dir, name) / file, seed_folder(published, name) / file))
    return pairs


def _study_files(
    output_dir: Path, published: Path, records: Sequence[Record]
) -> list[tuple[Path, Path]]:
    """The comparison and the study of robustness, if they are there and of these records."""
    comparison, robustness = read_studies(output_dir, records)
    names = [*(COMPARISON if comparison else ()), *(ROBUSTNESS if robustness else ())]
    if robustness and (output_dir / "saliency.png").is_file():
        names.append("saliency.png")
    return [(output_dir / name, published / name) for name in names]


def read_studies(
    folder: Path, records: Sequence[Record]
) -> tuple[Comparison | None, Robustness | None]:
    """Read the comparison and the study of robustness of a folder, as far as they are there.

    Args:
        folder: The folder of the records.
        records: The records in it.

    Raises:
        OutputError: One of them is damaged, or was made with other files than these.
    """
    comparison = robustness = None
    if (path := folder / COMPARISON_FILE).is_file():
        comparison = read_comparison(path)
        used = {f"{model.name}{RECORD}": model.record.sha256 for model in comparison.models}
        paths = folder.glob(f"*{RECORD}")
        current = {file.name: describe_file(file).sha256 for file in paths}
        _check_current(path, used, current, "compare.py")
    if (path := folder / ROBUSTNESS_FILE).is_file():
        robustness = read_robustness(path)
        used = {model.file.name: model.file.sha256 for model in robustness.models}
        current = {record.model.file.name: record.model.file.sha256 for record in records}
        _check_current(path, used, current, "robustness.py")
    return comparison, robustness


def _check_current(path: Path, used: dict[str, str], current: dict[str, str], script: str) -> None:
    """Refuse a file that was made with other files than the current ones, by their SHA-256."""
    for name, sha256 in used.items():
        if current.get(name) != sha256:
            raise OutputError(
                f"{path} was made with another {name}: make it again with "
                f"`python scripts/{script}`."
            )
