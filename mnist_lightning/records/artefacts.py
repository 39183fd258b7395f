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
#: What a comparison needs of each model. The record comes last, because it is written last.
COMPLETE = (f"{MODEL_SUFFIX}.pt", "_predictions.npz", "_metrics.json")
#: What is kept of each seed.
KEPT = (WEIGHTS, *COMPLETE)
#: All files of a model that trainings, exports and ensembles write.
EVERY = (
    *(f"{MODEL_SUFFIX}{suffix}" for suffix in (".pt2", ".onnx", "_int8.onnx")),
    *("_exports.json", "_card.md"),
    *("_training_curves.png", "_confusion_matrix.png", "_examples.png"),
    *KEPT,
)


def table_order(name: str) -> tuple[bool, bool, str]:
    """Return the key that sorts models' names as tables show them, the baseline first."""
    return name != BASELINE, name != SECOND, name


def folder_of(output_dir: Path, name: str) -> Path:
    """Return the folder with a model's record: the output folder, else that of published results.

    Args:
        output_dir: The output folder.
        name: Prefix of the model's files.
    """
    record, published = f"{name}{COMPLETE[-1]}", output_dir / PUBLISHED
    own = (output_dir / record).is_file() or not (published / record).is_file()
    return output_dir if own else published


def find_models(output_dir: Path) -> list[Path]:
    """Return the TorchScript files in a folder: the custom CNN, its variants, then the others."""
    found = output_dir.glob(f"*{MODEL_SUFFIX}.pt")
    return sorted(found, key=_custom_cnn_first)


def find_readers(output_dir: Path) -> list[Path]:
    """Return the same files as :func:`find_models`, the preferred reader first."""
    return sorted(find_models(output_dir), key=lambda path: path.stem != f"{READER}{MODEL_SUFFIX}")


def _custom_cnn_first(path: Path) -> tuple[bool, bool, str]:
    name = path.stem.removesuffix(MODEL_SUFFIX)
    return name != BASELINE, not name.startswith(BASELINE), name
