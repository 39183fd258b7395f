"""The names of the files that belong to a trained model, and the folders in which they are."""

from pathlib import Path

#: Folder within the output folder with the results that the repository publishes. No run writes it.
PUBLISHED = "published"
#: The models of the study, in the order in which tables show them; all others follow by name.
BASELINE = "custom_cnn"
SECOND = "resnet50"
#: The preferred model to read the users' own digits.
READER = "custom_cnn_robust"
MODEL_SUFFIX = "_model"
ENSEMBLE_SUFFIX = "_ensemble"
WEIGHTS = f"{MODEL_SUFFIX}.safetensors"
#: Suffixes of the files from which a network can be loaded.
NETWORK_SUFFIXES = (".pt", ".pt2", ".onnx", ".safetensors", ".ckpt")
RECORD = "_metrics.json"
PREDICTIONS = "_predictions.npz"
EXPORTS = "_exports.json"
#: The suffixes of the file that a record measures: TorchScript, or .pt2 by a torch without it.
MEASURED = (".pt", ".pt2")
#: All files of a model that trainings, exports and ensembles write.
EVERY = (
    *[f"{MODEL_SUFFIX}{suffix}" for suffix in (*MEASURED, ".onnx", "_int8.onnx", "_bfloat16.pt")],
    EXPORTS,
    "_card.md",
    "_training_curves.png",
    "_confusion_matrix.png",
    "_examples.png",
    WEIGHTS,
    PREDICTIONS,
    RECORD,
)


def table_order(name: str) -> tuple[bool, bool, str]:
    """Return the key that sorts models' names as tables show them, the baseline first."""
    return name != BASELINE, name != SECOND, name


def model_file(folder: Path, name: str) -> Path:
    """Return the path of the file that a model's record measures; it may not exist."""
    script, program = (folder / f"{name}{MODEL_SUFFIX}{suffix}" for suffix in MEASURED)
    return program if program.is_file() and not script.is_file() else script


def complete_files(folder: Path, name: str) -> list[Path]:
    """Return the files that a comparison needs of a model, which may not exist.

    The record comes last, because it is written last.
    """
    others = (folder / f"{name}{end}" for end in (PREDICTIONS, RECORD))
    return [model_file(folder, name), *others]


def kept_files(folder: Path, name: str) -> list[Path]:
    """Return the files that are kept of a seed, named e.g. ``seed_0``; the record comes last."""
    return [folder / f"{name}{WEIGHTS}", *complete_files(folder, name)]


def folder_of(output_dir: Path, name: str) -> Path:
    """Return the folder with a model's record: the output folder, else that of published results.

    Args:
        output_dir: The output folder.
        name: Prefix of the model's files.
    """
    record, published = f"{name}{RECORD}", output_dir / PUBLISHED
    own = (output_dir / record).is_file() or not (published / record).is_file()
    return output_dir if own else published


def find_models(output_dir: Path) -> list[Path]:
    """Return the file of each model in a folder: the custom CNN, its variants, then the others."""
    found = (path for end in MEASURED for path in output_dir.glob(f"*{MODEL_SUFFIX}{end}"))
    names = {path.stem.removesuffix(MODEL_SUFFIX) for path in found}
    return sorted((model_file(output_dir, name) for name in names), key=_custom_cnn_first)


def find_readers(output_dir: Path) -> list[Path]:
    """Return the file of each model in a folder: the most robust first, then as find_models."""
    return sorted(find_models(output_dir), key=lambda path: path.stem != f"{READER}{MODEL_SUFFIX}")


def _custom_cnn_first(path: Path) -> tuple[bool, bool, str]:
    name = path.stem.removesuffix(MODEL_SUFFIX)
    return name != BASELINE, not name.startswith(BASELINE), name
