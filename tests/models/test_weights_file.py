"""Untrusted state dicts. A backbone of four tensors is enough for every kind of error."""

import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from refusals import RunsCode
from torch import Tensor, nn

from mnist_lightning.errors import WeightsError
from mnist_lightning.models import weights_file
from mnist_lightning.models.weights_file import read_backbone

StateDict = dict[str, Tensor]


def backbone() -> StateDict:
    return {
        "conv1.weight": torch.arange(6.0).view(2, 3),
        "bn1.running_var": torch.ones(2),
        "bn1.num_batches_tracked": torch.tensor(7),
        "layer1.0.conv1.weight": torch.ones(2, 2),
    }


def assert_equal(found: StateDict, expected: StateDict) -> None:
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert torch.equal(found[name], tensor), name


@pytest.mark.parametrize("prefix", ["", "module.", "backbone.", "model.", "module.backbone."])
def test_a_common_prefix_and_a_head_are_ignored(tmp_path: Path, prefix: str) -> None:
    path = tmp_path / "weights.pth"
    content = {**backbone(), "fc.weight": torch.ones(1000, 5)}
    torch.save({prefix + name: tensor for name, tensor in content.items()}, path)
    assert_equal(read_backbone(path, backbone()), backbone())


@pytest.mark.parametrize("key", ["state_dict", "model"])
def test_state_dict_in_a_checkpoint_is_found(tmp_path: Path, key: str) -> None:
    path = tmp_path / "weights.pt"
    torch.save({"epoch": 3, key: backbone()}, path)
    assert_equal(read_backbone(path, backbone()), backbone())


def test_safetensors_and_the_old_format_of_torch_are_read(tmp_path: Path) -> None:
    safe, old = tmp_path / "a.safetensors", tmp_path / "b.pth"
    safetensors.torch.save_file(backbone(), safe)
    torch.save(backbone(), old, _use_new_zipfile_serialization=False)
    assert_equal(read_backbone(safe, backbone()), backbone())
    assert_equal(read_backbone(old, backbone()), backbone())


def test_half_precision_is_converted_and_a_missing_batch_count_kept(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    content = {name: tensor.half() for name, tensor in backbone().items() if "num" not in name}
    torch.save(content, path)
    found = read_backbone(path, backbone())
    assert found["conv1.weight"].dtype == torch.float32
    assert_equal(found, backbone())


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"conv1.weight": None}, "conv1.weight is missing"),
        ({"conv1.weight": torch.ones(3, 2)}, r"conv1.weight has the shape \(3, 2\), not \(2, 3\)"),
        ({"conv1.weight": "ones"}, "conv1.weight is a str, not a tensor"),
        ({"conv1.weight": torch.ones(2, 3).to_sparse()}, "conv1.weight is not a plain tensor"),
        ({"conv1.weight": torch.ones(2, 3, device="meta")}, "conv1.weight is not a plain tensor"),
        ({"conv1.weight": torch.ones(2, 3, dtype=torch.int8)}, "conv1.weight contains torch.int8"),
        ({"conv1.weight": torch.full((2, 3), torch.nan)}, "conv1.weight .* not finite"),
        (
            {"conv1.weight": torch.full((2, 3), 1e300, dtype=torch.float64)},
            "conv1.weight .* not finite",
        ),
        ({"bn1.running_var": -torch.ones(2)}, "bn1.running_var .* negative variance"),
        ({"layer1.0.conv1.weight": None}, "no tensor layer1.0.conv1.weight, but conv1.weight"),
        ({"layer3.6.conv1.weight": torch.ones(1)}, "unknown tensor layer3.6.conv1.weight"),
        ({"ema.layer1.0.conv1.weight": torch.ones(1)}, "several networks, under '' and 'ema.'"),
    ],
)
def test_first_misfit_is_named(tmp_path: Path, change: dict[str, Any], problem: str) -> None:
    path = tmp_path / "weights.pth"
    content = {**backbone(), **change}
    torch.save({name: value for name, value in content.items() if value is not None}, path)
    with pytest.raises(WeightsError, match=rf"weights.pth .*{problem}"):
        read_backbone(path, backbone())


@pytest.mark.parametrize("writer", ["zip", "old", "bare pickle"])
def test_a_pickle_with_code_is_refused_and_the_code_not_run(tmp_path: Path, writer: str) -> None:
    path, proof = tmp_path / "weights.pth", tmp_path / "proof"
    content = {**backbone(), "more": RunsCode(proof)}
    if writer == "bare pickle":
        path.write_bytes(pickle.dumps(RunsCode(proof)))
        pickle.loads(path.read_bytes())
    else:
        torch.save(content, path, _use_new_zipfile_serialization=writer == "zip")
        torch.load(path, weights_only=False)
    assert proof.is_dir(), "the pickle is harmless and proves nothing"
    proof.rmdir()
    message = "not a file of weights" if writer == "bare pickle" else r"asks to run \w+.mkdir"
    with pytest.raises(WeightsError, match=message):
        read_backbone(path, backbone())
    assert not proof.exists()


def truncated(path: Path) -> None:
    torch.save(backbone(), path)
    path.write_bytes(path.read_bytes()[:-100])


def truncated_old(path: Path) -> None:
    torch.save(backbone(), path, _use_new_zipfile_serialization=False)
    path.write_bytes(path.read_bytes()[:-8])


def exported(path: Path) -> None:
    torch.jit.save(torch.jit.script(nn.Linear(1, 1)), path)


def bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("weights/data.pkl", bytes(20 << 20))


@pytest.mark.parametrize(
    ("write", "problem"),
    [
        (lambda path: path.mkdir(), "is a folder"),
        (lambda path: path.touch(), "is empty"),
        (lambda path: path.write_text("\n<!DOCTYPE html><title>404</title>"), "is a web page"),
        (lambda path: path.write_text("version https://git-lfs.github.com/spec/v1"), "is a Git"),
        (lambda path: path.write_text("not weights\n"), "is truncated, damaged or not"),
        (truncated, "is truncated, damaged or not"),
        (truncated_old, "is truncated, damaged or not"),
        (exported, "is an exported TorchScript model"),
        (bomb, "has 0.0 MB and declares 21 MB"),
        (lambda path: torch.save([1, 2], path), "contains a list, not a state dict"),
        (lambda path: torch.save(nn.Linear(1, 1), path), "asks to run torch.nn.*Save the plain"),
        (lambda path: None, "does not exist"),
    ],
)
def test_file_that_is_not_a_state_dict_is_refused_with_what_it_is(
    tmp_path: Path, write: Callable[[Path], object], problem: str
) -> None:
    path = tmp_path / "weights.pth"
    write(path)
    with pytest.raises(WeightsError, match=rf"weights.pth {problem}"):
        read_backbone(path, backbone())


def test_truncated_safetensors_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    safetensors.torch.save_file(backbone(), path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(WeightsError, match="not a safetensors file"):
        read_backbone(path, backbone())


def test_a_file_too_large_for_the_network_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "weights.pth"
    torch.save(backbone(), path)
    monkeypatch.setattr(weights_file, "MAX_BYTES", path.stat().st_size - 1)
    with pytest.raises(WeightsError, match="more than the"):
        read_backbone(path, backbone())
