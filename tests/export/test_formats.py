"""The formats besides TorchScript: each file gives the logits of its network."""

import json
from pathlib import Path

import pytest
import torch

from mnist_lightning.data.digits import Digits
from mnist_lightning.errors import OutputError, UserError
from mnist_lightning.evaluation.inference import predict_logits
from mnist_lightning.export import onnx as onnx_format
from mnist_lightning.export.bfloat16 import export_bfloat16
from mnist_lightning.export.int8 import quantize_onnx
from mnist_lightning.export.loading import load_network
from mnist_lightning.export.metadata import METADATA_FILE, Metadata, read_entries
from mnist_lightning.export.onnx import OnnxNetwork, export_onnx
from mnist_lightning.export.program import export_program
from mnist_lightning.export.torchscript import export_torchscript
from mnist_lightning.models.cnn import CNN

METADATA = Metadata(
    "Title", "MNIST", 0.9962, 10_000, "a" * 40, "b" * 40, True, "export.py", None, 0
)


def _network(images: torch.Tensor) -> CNN:
    torch.manual_seed(0)
    network = CNN((4, 8), dropout=0.5)
    with torch.no_grad():
        network(images)  # updates the batch statistics
    return network.eval()


@pytest.fixture(scope="module")
def files(tiny_digits: Digits, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one network as model.pt, .pt2 and .onnx, int8.onnx and bfloat16.pt."""
    folder = tmp_path_factory.mktemp("formats")
    network = _network(tiny_digits.images)
    export_torchscript(network, folder / "model.pt", tiny_digits.images, METADATA)
    export_program(network, folder / "model.pt2", METADATA)
    export_onnx(network, folder / "model.onnx", METADATA)
    quantize_onnx(folder / "model.onnx", folder / "int8.onnx", tiny_digits.images)
    export_bfloat16(network, folder / "bfloat16.pt", METADATA)
    return folder


@pytest.mark.parametrize(
    "wrong",
    [
        torch.rand(2, 1, 28, 28),
        torch.zeros(2, 1, 28, 28, dtype=torch.bool),
        torch.zeros(2, 1, 28, 28, dtype=torch.int32),
        torch.zeros(2, 1, 32, 32, dtype=torch.uint8),
        torch.zeros(2, 3, 28, 28, dtype=torch.uint8),
        torch.zeros(2, 28, 28, dtype=torch.uint8),
    ],
    ids=["floats", "bool", "int32", "32x32", "RGB", "no channel"],
)
@pytest.mark.parametrize(
    "name", ["model.pt", "model.pt2", "model.onnx", "int8.onnx", "bfloat16.pt"]
)
def test_every_format_refuses_other_input_than_digits(
    name: str, wrong: torch.Tensor, files: Path
) -> None:
    network = load_network(files / name)
    with (
        torch.inference_mode(),
        pytest.raises(Exception, match=r"(?i)(uint8|byte|size|dim|shape|rank)"),
    ):
        network(wrong)


@pytest.mark.parametrize("name", ["model.pt", "model.pt2", "model.onnx"])
def test_a_loaded_file_agrees_with_the_network_on_batches_of_any_size(
    files: Path, name: str, tiny_digits: Digits
) -> None:
    loaded, network = load_network(files / name), _network(tiny_digits.images)

    for n in (1, 2, 37):
        images = tiny_digits.images[:n]
        found = predict_logits(loaded, images)
        torch.testing.assert_close(found, predict_logits(network, images), atol=1e-5, rtol=0)


def test_weights_are_laid_out_channels_last_in_the_program(files: Path) -> None:
    weights = torch.export.load(files / "model.pt2").state_dict.values()

    convolutions = [weight for weight in weights if weight.ndim == 4]
    assert len(convolutions) == 4
    assert all(one.is_contiguous(memory_format=torch.channels_last) for one in convolutions)


def test_every_format_is_one_file(files: Path) -> None:
    names = {"model.pt", "model.pt2", "model.onnx", "int8.onnx", "bfloat16.pt"}
    assert {path.name for path in files.iterdir()} == names


def test_metadata_is_inside_the_files(files: Path) -> None:
    extra = {METADATA_FILE: ""}
    torch.export.load(files / "model.pt2", extra_files=extra)
    script = {METADATA_FILE: ""}
    torch.jit.load(str(files / "model.pt"), _extra_files=script)  # type: ignore[no-untyped-call]

    assert json.loads(extra[METADATA_FILE]) == METADATA.entries()
    assert json.loads(script[METADATA_FILE]) == METADATA.entries()
    assert read_entries(files / "model.onnx") == METADATA.entries()
    assert json.loads(METADATA.entries()["classes"]) == list("0123456789")
    assert METADATA.entries()["exported_commit"] == "b" * 40 + "+"


def test_no_file_names_a_folder_of_the_machine_that_wrote_it(files: Path) -> None:
    source = str(Path(__file__).parents[2]).encode()

    for path in files.iterdir():
        assert source not in path.read_bytes()


def test_int8_does_not_claim_the_accuracy_of_the_float_file(
    files: Path, tiny_digits: Digits
) -> None:
    logits = predict_logits(OnnxNetwork(files / "int8.onnx"), tiny_digits.images)
    expected = predict_logits(_network(tiny_digits.images), tiny_digits.images)

    assert "test_accuracy" not in read_entries(files / "int8.onnx")
    assert read_entries(files / "int8.onnx")["title"] == "Title"
    assert 0 < (logits - expected).abs().max() < 0.2 * expected.abs().max()


@pytest.mark.parametrize("suffix", [".pt", ".pt2", ".onnx"])
@pytest.mark.parametrize("content", [b"", b"no model", b"PK\x03\x04" + bytes(100)])
def test_a_damaged_file_is_named_in_one_line(suffix: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"model{suffix}"
    path.write_bytes(content)

    with pytest.raises(OutputError, match=r"model\.\w+ is not a valid") as raised:
        load_network(path)
    assert len(str(raised.value).splitlines()) == 1


def test_a_truncated_program_is_refused(files: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.pt2"
    path.write_bytes((files / "model.pt2").read_bytes()[:-1000])

    with pytest.raises(OutputError, match=r"cut\.pt2 is not a valid torch\.export file"):
        load_network(path)


def test_an_onnx_file_of_another_network_is_refused(tmp_path: Path) -> None:
    from onnx import TensorProto, helper

    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 3]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", ports[:1], ports[1:])
    opset = [helper.make_opsetid("", 20)]
    path = tmp_path / "other.onnx"
    path.write_bytes(
        helper.make_model(graph, ir_version=10, opset_imports=opset).SerializeToString()
    )

    with pytest.raises(UserError, match=r"other\.onnx takes tensor\(float\).*instead of uint8"):
        load_network(path)


def test_a_missing_extra_is_named_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(onnx_format, "find_spec", lambda name: None)

    with pytest.raises(UserError, match=r'onnxruntime: pip install "mnist-lightning\[export\]"'):
        export_onnx(CNN((4,)), tmp_path / "model.onnx", METADATA)
    (tmp_path / "model.onnx").write_bytes(b"x")
    with pytest.raises(UserError, match=r"needs onnx, onnxruntime: pip install"):
        load_network(tmp_path / "model.onnx")
