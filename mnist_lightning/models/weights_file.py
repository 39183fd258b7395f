"""A reader of untrusted files of weights that runs no code from them and checks each tensor."""

import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from mnist_lightning.errors import WeightsError
from mnist_lightning.files.archives import refuse_bomb
from mnist_lightning.files.regular_file import check_regular

MAX_BYTES = 2**30
"""Larger files are refused. ResNet50 has 98 MB; with the state of an optimiser, 300 MB."""

# Every ResNet has this tensor. Whatever precedes it in its name (``module.``, ``backbone.``,
# ``model.`` or any nesting of those) is the prefix of all names.
_ANCHOR = "layer1.0.conv1.weight"
_BACKBONE_KEY = re.compile(r"(conv1|bn1|layer\d+)\.")
# The number of training batches, which some writers omit, does not affect the output.
_OPTIONAL = "num_batches_tracked"


def require_file(path: Path, remedy: str) -> None:
    """Check that a path is a regular file that is not empty.

    Raises:
        WeightsError: It is missing, a folder, a pipe or a device, empty, too large for weights of
            ResNet50, or not accessible; the message ends with the remedy.
    """
    problem = "does not exist"
    try:
        size = check_regular(path, max_bytes=MAX_BYTES, error=WeightsError).st_size
        if size and not path.is_dir():
            return
        problem = "is a folder, not a file of weights" if path.is_dir() else "is empty"
    except FileNotFoundError:
        pass
    except OSError as error:
        problem = f"cannot be read ({error.strerror})"
    raise WeightsError(f"{path} {problem}: {remedy}.")


def read_backbone(path: Path, expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Read a state dict and match it with that of a backbone.

    Args:
        path: A ``.safetensors`` file, or a file written by ``torch.save``: the tensors by name, or
            a dictionary with them under ``state_dict`` or ``model``. A prefix that all names have
            in common is removed; tensors outside of the backbone, such as a head, are ignored.
        expected: The state dict of the backbone: names, shapes and dtypes.

    Returns:
        A finite tensor for each expected name, of the expected shape and dtype.

    Raises:
        WeightsError: The file is unreadable, contains code, or a tensor is missing, unknown, not
            finite or of the wrong shape; the message names the file and the first such tensor.
    """
    require_file(path, "give a file of weights")
    _refuse_lookalikes(path)
    is_safetensors = path.suffix == ".safetensors"
    tensors = _without_prefix(
        path, _load_safetensors(path) if is_safetensors else _load_pickle(path)
    )
    for name in tensors:
        if _BACKBONE_KEY.match(name) and name not in expected:
            raise _other(path, f"is not of a ResNet50: it has the unknown tensor {name}")
    return {name: _fitted(path, name, tensors.get(name), own) for name, own in expected.items()}


def _other(path: Path, problem: str) -> WeightsError:
    return WeightsError(f"{path} {problem}. Give the state dict of a ResNet50.")


def _refuse_lookalikes(path: Path) -> None:
    try:
        with path.open("rb") as file:
            start = file.read(512).lstrip().lower()
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror}.") from error
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        raise WeightsError(f"{path} is a web page, not weights: download the file itself.")
    if start.startswith(b"version https://git-lfs"):
        raise WeightsError(f"{path} is a Git LFS pointer, not weights: fetch it with git lfs pull.")


def _load_safetensors(path: Path) -> Mapping[str, Any]:
    try:
        return safetensors.torch.load_file(path)
    except Exception as error:  # the library does not document its errors for damaged files
        raise WeightsError(
            f"{path} is truncated, damaged or not a safetensors file: download it again."
        ) from error


def _load_pickle(path: Path) -> Mapping[str, Any]:
    refuse_bomb(path, error=WeightsError)
    try:
        with warnings.catch_warnings():
            # torch warns about pickles that it did not write; the checks below decide.
            warnings.simplefilter("ignore")
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged bytes can make an unpickler raise nearly anything
        raise WeightsError(_pickle_problem(path, error)) from error
    for key in ("state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping):
        raise _other(path, f"contains a {type(content).__name__}, not a state dict")
    return {str(name): value for name, value in content.items()}


def _pickle_problem(path: Path, error: Exception) -> str:
    code = re.search(r"GLOBAL ([\w.]+)", str(error))
    if code:
        return (
            f"{path} asks to run {code[1]}, which weights do not need; nothing was run. "
            "Save the plain state dict, or use a .safetensors file."
        )
    if "TorchScript" in str(error):
        return (
            f"{path} is an exported TorchScript model, not a state dict: give a file that "
            "torch.save wrote from state_dict()."
        )
    return f"{path} is truncated, damaged or not a file of weights: download it again."


def _without_prefix(path: Path, tensors: Mapping[str, Any]) -> dict[str, Any]:
    prefixes = [
        name.removesuffix(_ANCHOR)
        for name in tensors
        if name == _ANCHOR or name.endswith(f".{_ANCHOR}")
    ]
    if not prefixes:
        some = ", ".join(list(tensors)[:3]) or "nothing"
        raise _other(path, f"is not of a ResNet50: it has no tensor {_ANCHOR}, but {some}")
    if len(prefixes) > 1:
        names = " and ".join(repr(prefix) for prefix in prefixes[:2])
        raise WeightsError(f"{path} contains several networks, under {names}: save only one.")
    return {
        name.removeprefix(prefixes[0]): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefixes[0])
    }


def _fitted(path: Path, name: str, found: Any, own: Tensor) -> Tensor:
    if found is None and name.endswith(_OPTIONAL):
        return own
    problem = _misfit(found, own)
    if problem is None:
        tensor: Tensor = found.to(own.dtype)
        if bool(torch.isfinite(tensor).all()) and not (
            name.endswith("running_var") and bool((tensor < 0).any())
        ):
            return tensor
        problem = "contains values that are not finite, or a negative variance"
    raise _other(path, f"does not fit ResNet50: {name} {problem}")


def _misfit(found: Any, own: Tensor) -> str | None:
    if found is None:
        return "is missing"
    if not isinstance(found, Tensor):
        return f"is a {type(found).__name__}, not a tensor"
    if found.shape != own.shape:
        return f"has the shape {tuple(found.shape)}, not {tuple(own.shape)}"
    if found.layout != torch.strided or found.is_meta or found.is_quantized:
        return "is not a plain tensor"
    if found.is_floating_point() != own.is_floating_point():
        return f"contains {found.dtype}, not {own.dtype}"
    return None
