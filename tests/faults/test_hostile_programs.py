"""Exported models from strangers: whatever is hidden in them, nothing of it runs."""

import importlib
import io
import json
import pickle
import sys
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from refusals import RunsCode
from torch import Tensor, nn

from mnist_lightning.errors import UserError
from mnist_lightning.export.loading import load_network
from mnist_lightning.export.metadata import Metadata
from mnist_lightning.export.program import export_program

METADATA = Metadata("Title", "MNIST", 0.99, 10_000, None, None, None, "export.py", None, 0)
IMAGES = torch.zeros(2, 1, 28, 28, dtype=torch.uint8)
Members = dict[str, bytes]


class Plain(nn.Module):
    """The first ten pixels as logits, plus a weight."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(10))

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1)[:, :10].float() + self.weight


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def proof(tmp_path: Path) -> Path:
    """A folder that does not exist; hostile files try to create it."""
    return tmp_path / "proof"


# Programs ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("program") / "plain.pt2"
    export_program(Plain().eval(), path, METADATA)
    return path


def unpacked(path: Path) -> Members:
    with zipfile.ZipFile(path) as archive:
        return {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}


def packed(path: Path, members: Members, root: str = "model/") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(root + name, content)
    return path


def changed(members: Members, name: str, change: Callable[[Any], None]) -> None:
    document = json.loads(members[name])
    change(document)
    members[name] = json.dumps(document).encode()


def saved(value: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


GRAPH = "models/model.json"
WEIGHTS = "data/weights/model_weights_config.json"
CONSTANTS = "data/constants/model_constants_config.json"


def inputs_that_are_a_pickle(members: Members, proof: Path) -> None:
    members["data/sample_inputs/model.pt"] = saved(RunsCode(proof))


def inputs_with_a_pickle(members: Members, proof: Path) -> None:
    members["data/sample_inputs/model.pt"] = saved((((IMAGES,), {"x": RunsCode(proof)}),))


def guard(members: Members, proof: Path) -> None:
    def change(document: Any) -> None:
        document["guards_code"] = [f"__import__('os').mkdir({str(proof)!r}) is None"]

    changed(members, GRAPH, change)


def pickled_payload(table: str, file: str) -> Callable[[Members, Path], None]:
    def spoil(members: Members, proof: Path) -> None:
        def change(document: Any) -> None:
            entry = {"path_name": file, "is_param": False, "use_pickle": True, "tensor_meta": None}
            document["config"]["more"] = entry

        changed(members, table, change)
        content = saved(RunsCode(proof)) if "tensor" in file or "weight" in file else None
        folder = table.rpartition("/")[0]
        members[f"{folder}/{file}"] = content or pickle.dumps(RunsCode(proof))

    return spoil


def old_weights(members: Members, proof: Path) -> None:
    members["data/weights/model.pt"] = saved(RunsCode(proof))


def old_constants(members: Members, proof: Path) -> None:
    members["data/constants/model.pt"] = saved(RunsCode(proof))


def _node(members: Members, **changes: Any) -> None:
    def change(document: Any) -> None:
        nodes = document["graph_module"]["graph"]["nodes"]
        node = next(one for one in nodes if one["target"] == "torch.ops.aten.flatten.using_ints")
        node.update(changes)

    changed(members, GRAPH, change)


def _text(value: str, name: str = "") -> dict[str, Any]:
    return {"name": name, "arg": {"as_string": value}, "kind": 1}


def function_of_python(members: Members, proof: Path) -> None:
    _node(members, target="torch.os.mkdir", inputs=[_text(str(proof))])


def function_of_torch(members: Members, proof: Path) -> None:
    Path("evil.pt").write_bytes(saved(RunsCode(proof)))
    text, no = _text("evil.pt"), {"name": "weights_only", "arg": {"as_bool": False}, "kind": 2}
    _node(members, target="torch.load", inputs=[text, no])


def operator_that_creates_a_file(members: Members, proof: Path) -> None:
    shared = {"name": "shared", "arg": {"as_bool": True}, "kind": 2}
    size = {"name": "size", "arg": {"as_int": 9}, "kind": 2}
    inputs = [_text(str(proof), "filename"), shared, size]
    _node(members, target="torch.ops.aten.from_file.default", inputs=inputs)


def operator_as_an_argument(members: Members, proof: Path) -> None:
    del proof
    inputs = [{"name": "", "arg": {"as_operator": "torch.os.mkdir"}, "kind": 1}]
    _node(members, target="torch.ops.higher_order.cond", inputs=inputs)


def _replaced(members: Members, old: str, new: str) -> None:
    text = members[GRAPH].decode()
    assert old in text
    members[GRAPH] = text.replace(old, new).encode()


def symbolic_shape(members: Members, proof: Path) -> None:
    def change(document: Any) -> None:
        code = f"__import__('os').mkdir({str(proof)!r})"
        for meta in document["graph_module"]["graph"]["tensor_values"].values():
            for size in meta["sizes"]:
                if "as_expr" in size:
                    size["as_expr"]["expr_str"] = code

    changed(members, GRAPH, change)


def name_that_is_code(members: Members, proof: Path) -> None:
    # The value of a default argument is computed when the function is defined.
    code = f"images = __import__('os').mkdir({str(proof)!r}), *x"
    text = members[GRAPH].decode()
    members[GRAPH] = text.replace('"images"', json.dumps(code)).encode()


def weight_that_is_code(members: Members, proof: Path) -> None:
    code = f"weight\"), __import__('os').mkdir({str(proof)!r}), getattr(self, \"weight"
    for name in (GRAPH, WEIGHTS):
        members[name] = members[name].replace(b'"weight"', json.dumps(code).encode())


def structure_that_imports(members: Members, proof: Path) -> None:
    Path("evilmodule.py").write_text(f"import os\nos.mkdir({str(proof)!r})\n")

    def change(document: Any) -> None:
        signature = document["graph_module"]["module_call_graph"][0]["signature"]
        context = {
            "default_factory_module": "evilmodule",
            "default_factory_name": "os",
            "dict_context": [],
        }
        signature["out_spec"] = json.dumps(
            [
                1,
                {
                    "type": "collections.defaultdict",
                    "context": context,
                    "children_spec": [],
                },
            ]
        )

    changed(members, GRAPH, change)


def library(members: Members, proof: Path) -> None:
    del proof
    members["data/aotinductor/model/wrapper.so"] = b"\x7fELF"


def second_model(members: Members, proof: Path) -> None:
    del proof
    members["models/other.json"] = members[GRAPH]


def zeros_without_end(members: Members, proof: Path) -> None:
    del proof

    def change(document: Any) -> None:
        entry = document["config"]["weight"]
        members[f"data/weights/{entry['path_name']}"] = b""
        entry["tensor_meta"]["sizes"] = [{"as_int": 10**11}]

    changed(members, WEIGHTS, change)


PROGRAMS = [
    *(inputs_that_are_a_pickle, inputs_with_a_pickle, guard, old_weights, old_constants),
    *(function_of_python, function_of_torch, operator_that_creates_a_file, symbolic_shape),
    *(operator_as_an_argument, name_that_is_code, weight_that_is_code, structure_that_imports),
    *(library, second_model, zeros_without_end),
]
PAYLOADS = [(WEIGHTS, "weight_9"), (CONSTANTS, "tensor_0")]
PAYLOADS += [(CONSTANTS, "custom_obj_0"), (CONSTANTS, "opaque_obj_0")]
SPOILED = {one.__name__: one for one in PROGRAMS}
SPOILED |= {f"pickle as {file}": pickled_payload(table, file) for table, file in PAYLOADS}


@pytest.mark.parametrize("kind", SPOILED)
def test_nothing_in_a_program_runs(
    kind: str, program: Path, proof: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(Path.cwd()))
    importlib.invalidate_caches()
    members = unpacked(program)
    SPOILED[kind](members, proof)
    packed(Path("x.pt2"), members)

    def fail(*args: object, **options: object) -> None:
        pytest.fail("torch.export.load was called")

    monkeypatch.setattr("torch.export.load", fail)
    with pytest.raises(
        UserError, match=r"x\.pt2 (is not a valid .*contains|does more than compute)"
    ):
        load_network(Path("x.pt2"))
    assert not proof.exists()
    assert "evilmodule" not in sys.modules


def test_two_members_of_one_name_are_refused(program: Path) -> None:
    members = unpacked(program)
    with zipfile.ZipFile("x.pt2", "w") as archive:
        for name, content in members.items():
            archive.writestr(f"model/{name}", content)
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr(f"model/{GRAPH}", members[GRAPH])
    with pytest.raises(UserError, match=r"it contains 'models/model\.json'"):
        load_network(Path("x.pt2"))


class OfOthers(nn.Module):
    """Uses what exported networks of other people use."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("scale", torch.tensor(3.0))

    def forward(self, images: Tensor) -> Tensor:
        with torch.no_grad():
            x = torch.nn.functional.interpolate(images.float(), scale_factor=2.0, mode="bilinear")
        rows = (images[:, 0].float() / 255).cumsum(dim=2).softmax(dim=1)
        x = torch.nn.functional.pad(x, [1, 1, 1, 1], mode="reflect")
        more = torch.einsum("nchw->nc", x) * torch.arange(10, device=x.device)
        return rows.amax(dim=(1, 2)).unsqueeze(1) + more * self.scale


def test_program_of_somebody_else_is_loaded() -> None:
    network = OfOthers().eval()
    export_program(network, Path("x.pt2"), METADATA)
    loaded = load_network(Path("x.pt2"))
    images = torch.randint(0, 256, (3, 1, 28, 28), dtype=torch.uint8)
    with torch.no_grad():
        torch.testing.assert_close(loaded(images), network(images))


def as_before_torch_2_8(program: Path, inputs: bytes) -> Members:
    exported = torch.export.load(program)
    from torch._export.serde.serialize import serialize

    artifact = serialize(exported)
    return {
        "version": b"8.8",
        "serialized_exported_program.json": artifact.exported_program,
        "serialized_state_dict.pt": saved(dict(exported.state_dict)),
        "serialized_constants.pt": saved({}),
        "serialized_example_inputs.pt": inputs,
        "extra_files/metadata.json": b"{}",
    }


def test_program_in_the_old_format_is_loaded(program: Path) -> None:
    packed(Path("x.pt2"), as_before_torch_2_8(program, saved(((IMAGES,), {}))), root="")
    assert load_network(Path("x.pt2"))(IMAGES).tolist() == [[1.0] * 10] * 2


def test_pickle_in_a_program_of_the_old_format_does_not_run(program: Path, proof: Path) -> None:
    packed(Path("x.pt2"), as_before_torch_2_8(program, saved(RunsCode(proof))), root="")
    with pytest.raises(UserError, match=r"serialized_example_inputs\.pt is a pickle of more than"):
        load_network(Path("x.pt2"))
    assert not proof.exists()


# TorchScript ------------------------------------------------------------------------------------


class Script(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1)[:, :10].float()


LOGITS = "    return torch.to(torch.slice(torch.flatten(images, 1), 1, 0, 10), 6)\n"


def script(body: str, methods: str = "") -> None:
    """Write x.pt, whose forward() has another body and which may have more methods."""
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(Script().eval()), buffer)
    with zipfile.ZipFile(buffer) as source, zipfile.ZipFile("x.pt", "w") as target:
        for name in source.namelist():
            content = source.read(name).decode("latin-1")
            if name.endswith(".py"):
                head, _, after = content.partition("images: Tensor) -> Tensor:\n")
                assert after
                content = f"{head}images: Tensor) -> Tensor:\n{body}{LOGITS}{methods}"
            if not name.endswith(".debug_pkl"):
                target.writestr(name, content.encode("latin-1"))


WRITES = '    torch.save(images, "proof")\n'
CREATES = '    x = torch.from_file("proof", True, 9, dtype=0)\n    assert bool(torch.any(x)), ""\n'
BODIES = {
    "save": WRITES,
    "save by its name": '    ops.aten.save(images, "proof")\n',
    "save under another name": '    f = torch.save\n    f(images, "proof")\n',
    "from_file": CREATES,
    "from_file by getattr": CREATES.replace("torch.from_file", 'getattr(torch, "from_file")'),
    "torchvision writes": '    x = ops.image.write_file("proof", torch.zeros([9], dtype=0))\n'
    '    assert bool(torch.any(x)), ""\n',
    "torchvision reads": '    x = ops.image.read_file("proof")\n'
    '    assert bool(torch.any(x)), ""\n',
    "print": '    print("proof")\n',
    "branch": f"    if bool(torch.any(images)):\n  {WRITES}    else:\n      pass\n",
    "loop": f"    for i in range(3):\n  {WRITES}",
}


@pytest.mark.parametrize("kind", BODIES)
def test_script_that_does_input_or_output_is_refused(kind: str, proof: Path) -> None:
    script(BODIES[kind])
    with pytest.raises(UserError, match=r"x\.pt does more than compute: it uses the operator"):
        load_network(Path("x.pt"))
    assert not proof.exists()


def test_every_method_of_a_script_is_searched(proof: Path) -> None:
    self_type = "__torch__.test_hostile_programs.Script"
    method = f"  def other(self: {self_type},\n    images: Tensor) -> NoneType:\n"
    script("", f"{method}{WRITES}    return None\n")
    with pytest.raises(UserError, match="operator aten::save"):
        load_network(Path("x.pt"))
    assert not proof.exists()


def test_script_that_runs_while_it_is_loaded_is_refused(proof: Path) -> None:
    self_type = "__torch__.test_hostile_programs.Script"
    state = "Dict[str, int]"
    script(
        "",
        f"  def __getstate__(self: {self_type}) -> {state}:\n    return annotate({state}, {{}})\n"
        f"  def __setstate__(self: {self_type},\n    state: {state}) -> NoneType:\n"
        '    torch.save(state, "proof")\n    return None\n',
    )
    with pytest.raises(UserError, match="runs code while it is loaded"):
        load_network(Path("x.pt"))
    assert not proof.exists()


def test_member_that_a_script_does_not_need_is_refused() -> None:
    script("")
    with zipfile.ZipFile("x.pt", "a") as archive:
        archive.writestr("archive/model.json", "{}")
    with pytest.raises(
        UserError, match=r"x\.pt is not a valid TorchScript file \(it contains 'model\.json'"
    ):
        load_network(Path("x.pt"))


def test_class_of_another_library_is_refused() -> None:
    script('    w = __torch__.torch.classes.dist_rpc.WorkerInfo("a", 0)\n')
    with pytest.raises(UserError, match=r"uses the class torch\.classes\.dist_rpc"):
        load_network(Path("x.pt"))


class AnyScript(nn.Module):
    """What people script: asserts, messages about saving, loops, errors, warnings, resizing."""

    def __init__(self) -> None:
        super().__init__()
        self.save = nn.Conv2d(1, 10, 5)
        self.norm = nn.BatchNorm2d(10)

    def forward(self, images: Tensor) -> Tensor:
        assert images.dim() == 4, "torch.save(images) and torch.from_file are only words here"
        if images.shape[0] < 0:
            raise ValueError("no images")
        x = nn.functional.interpolate(images.float(), scale_factor=1.0, mode="bilinear")
        for _ in range(2):
            x = nn.functional.dropout(x, 0.5, self.training)
        return self.norm(self.save(x)).amax(dim=(2, 3))


@pytest.mark.parametrize("frozen", [True, False])
def test_script_of_anybody_that_only_computes_is_loaded(frozen: bool) -> None:
    network = AnyScript().eval()
    scripted = torch.jit.script(network)
    torch.jit.save(torch.jit.freeze(scripted) if frozen else scripted, "x.pt")
    loaded = load_network(Path("x.pt"))
    images = torch.randint(0, 256, (3, 1, 28, 28), dtype=torch.uint8)
    with torch.no_grad():
        torch.testing.assert_close(loaded(images), network(images))


def test_quantised_script_is_loaded() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(784, 10)).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        small = torch.ao.quantization.quantize_dynamic(network, {nn.Linear}, torch.qint8)
    torch.jit.save(torch.jit.trace(small, torch.rand(2, 784)), "x.pt")
    assert load_network(Path("x.pt"))(torch.rand(3, 784)).shape == (3, 10)


# ONNX -------------------------------------------------------------------------------------------


def onnx_file(place: str) -> None:
    """Write x.onnx, a network with a tensor whose values are in another file."""
    from onnx import TensorProto, helper, numpy_helper

    Path("secret").write_bytes(bytes(4 * 7840))
    elsewhere = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[784, 10])
    elsewhere.data_location = TensorProto.EXTERNAL
    for key, value in {"location": "secret", "offset": "0", "length": str(4 * 7840)}.items():
        elsewhere.external_data.add(key=key, value=value)
    inside = numpy_helper.from_array(torch.zeros(784, 10).numpy(), "w")
    ports = [
        helper.make_tensor_value_info("images", TensorProto.UINT8, ["N", 1, 28, 28]),
        helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 10]),
    ]
    nodes = [
        helper.make_node("Cast", ["images"], ["x"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["x"], ["y"]),
        helper.make_node("MatMul", ["y", "w"], ["logits"]),
    ]
    if place == "constant":
        nodes.insert(0, helper.make_node("Constant", [], ["w"], value=elsewhere))
    weights = {"initializer": [elsewhere], "constant": []}.get(place, [inside])
    graph = helper.make_graph(nodes, "g", ports[:1], ports[1:], initializer=weights)
    model = helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 20)])
    Path("x.onnx").write_bytes(model.SerializeToString())


@pytest.mark.parametrize("place", ["initializer", "constant"])
def test_onnx_that_reads_another_file_is_refused(place: str) -> None:
    onnx_file(place)
    with pytest.raises(UserError, match=r"x\.onnx does more .* refer to other files \('secret'\)"):
        load_network(Path("x.onnx"))


def test_onnx_that_contains_its_weights_is_loaded() -> None:
    onnx_file("inside")
    assert load_network(Path("x.onnx"))(IMAGES).tolist() == [[0.0] * 10] * 2
