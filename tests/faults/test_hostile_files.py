"""Hostile files: no code in them runs, and none of them exhausts the memory."""

import io
import pickle
import resource
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from comparison_inputs import write_model
from refusals import RunsCode, refused

from mnist_lightning.commands import compare, train
from mnist_lightning.errors import UserError
from mnist_lightning.export.loading import load_network
from mnist_lightning.files.identity import describe_file
from mnist_lightning.records.record import read_record

TRAIN = ["--model", "cnn", "--data.source", "mnist5k", "--trainer.fast_dev_run", "true"]


@pytest.fixture
def proof(tmp_path: Path) -> Path:
    """The folder that a malicious pickle creates; checked once to work, then deleted."""
    folder = tmp_path / "the code was run"
    pickle.loads(pickle.dumps(RunsCode(folder)))
    folder.rmdir()
    return folder


@pytest.mark.parametrize(
    "place",
    ["state_dict", "hyper_parameters", "datamodule_hyper_parameters", "callbacks", "loops"],
)
@pytest.mark.parametrize("which", ["named", "last"])
def test_code_anywhere_in_a_checkpoint_does_not_run(
    place: str, which: str, proof: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "runs" / "custom_cnn" / "version_0" / "checkpoints" / "last.ckpt"
    path.parent.mkdir(parents=True)
    content: dict[str, Any] = {"state_dict": {}, "loops": {}, "global_step": 1}
    torch.save({**content, place: {"x": RunsCode(proof)}}, path)
    chosen = str(path) if which == "named" else "last"
    argv = [*TRAIN, "--output_dir", str(tmp_path), "--ckpt_path", chosen]
    line = refused(train.main, argv, capsys)
    assert ("last.ckpt" if which == "named" else "no valid checkpoint") in line
    assert not proof.exists()


def test_class_path_in_hyper_parameters_of_a_checkpoint_builds_nothing(
    proof: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trick = {
        "class_path": "os.mkdir",
        "init_args": {"path": str(proof)},
        "_instantiator": "os.mkdir",
    }
    parts = ("hyper_parameters", "datamodule_hyper_parameters")
    content = {"state_dict": {"x": torch.zeros(1)}, "loops": {}, "global_step": 1}
    torch.save(content | dict.fromkeys(parts, trick), "my.ckpt")
    line = refused(train.main, [*TRAIN, "--ckpt_path", "my.ckpt"], capsys)
    assert "is of another model" in line
    assert not proof.exists()


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("tag", ["object/apply:os.mkdir", "object/new:os.mkdir", "name:os.mkdir"])
def test_python_tag_in_a_configuration_builds_nothing(
    tag: str, proof: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "my.yaml").write_text(f'name: !!python/{tag} ["{proof}"]\n')
    refused(train.main, [*TRAIN, "--config", "my.yaml"], capsys)
    assert not proof.exists()


@pytest.mark.parametrize(
    "text",
    [
        "model: {{class_path: os.mkdir, init_args: {{path: '{}'}}}}",
        "trainer: {{callbacks: [{{class_path: os.mkdir, init_args: {{path: '{}'}}}}]}}",
        "trainer: {{logger: {{class_path: os.mkdir, init_args: {{path: '{}'}}}}}}",
        "model: {{class_path: pathlib.Path, init_args: {{args: ['{}']}}}}",
    ],
)
def test_class_of_another_kind_in_a_configuration_is_not_called(
    text: str, proof: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "my.yaml").write_text(text.format(proof))
    refused(train.main, [*TRAIN, "--config", "my.yaml"], capsys)
    assert not proof.exists()


def test_aliases_that_expand_to_gigabytes_are_refused_immediately(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x]"]
    lines += [f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    (tmp_path / "my.yaml").write_text("\n".join(lines))
    assert "alias *a0" in refused(train.main, [*TRAIN, "--config", "my.yaml"], capsys)


def test_code_in_predictions_with_a_matching_record_does_not_run(
    proof: Path, tmp_path: Path, tiny_data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("custom_cnn", "resnet50"):
        write_model(tmp_path / "output", tiny_data_dir, name, noise=0.3)
    path = tmp_path / "output" / "resnet50_predictions.npz"
    np.savez(path, test_probabilities=np.array([RunsCode(proof)], dtype=object))
    record_path = tmp_path / "output" / "resnet50_metrics.json"
    replace(read_record(record_path), predictions=describe_file(path)).write(record_path)
    assert "resnet50_predictions.npz is not valid: " in refused(compare.main, [], capsys)
    assert not proof.exists()


def bare_pickle(path: Path, proof: Path) -> None:
    path.write_bytes(pickle.dumps(RunsCode(proof)))


def saved_by_torch(path: Path, proof: Path) -> None:
    torch.save(RunsCode(proof), path)


def renamed_members(path: Path, proof: Path) -> None:
    code = pickle.dumps(RunsCode(proof), protocol=2)
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("data.pkl", "constants.pkl", "version", "code/__torch__.py"):
            archive.writestr(f"archive/{name}", code)


def extra_members(path: Path, proof: Path) -> None:
    scripted = io.BytesIO()
    torch.jit.save(torch.jit.script(torch.nn.Flatten()), scripted)
    with (
        zipfile.ZipFile(scripted) as source,
        zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as target,
    ):
        root = source.namelist()[0].partition("/")[0]
        for name in source.namelist():
            content = source.read(name)
            if name.endswith("/data.pkl"):
                content = pickle.dumps(RunsCode(proof), protocol=2)
            target.writestr(name, content)
        target.writestr(f"{root}/extra/evil.pkl", pickle.dumps(RunsCode(proof)))
        target.writestr("../escaped.txt", "x")


@pytest.mark.parametrize(("suffix", "kind"), [("pt", "TorchScript"), ("safetensors",) * 2])
@pytest.mark.parametrize(
    "make", [bare_pickle, saved_by_torch, renamed_members, extra_members], ids=lambda f: f.__name__
)
def test_code_in_a_model_file_is_not_unpickled(
    make: Callable[[Path, Path], None], suffix: str, kind: str, proof: Path, tmp_path: Path
) -> None:
    path = tmp_path / "folder" / f"x_model.{suffix}"
    path.parent.mkdir()
    make(path, proof)
    with pytest.raises(UserError, match=f"is not a valid {kind} file"):
        load_network(path)
    assert not proof.exists()
    assert sorted(tmp_path.rglob("*")) == [path.parent, path]


def repacked(path: Path, declared: int | None = None) -> None:
    """Compress the members of an archive, or let its table of contents declare another size."""
    with zipfile.ZipFile(path) as source:
        members = {name: source.read(name) for name in source.namelist()}
    way = zipfile.ZIP_STORED if declared else zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(path, "w", way) as target:
        for name, content in members.items():
            target.writestr(name, content)
        if declared:
            target.filelist[-1].file_size = declared


def bomb(path: Path, zeros: int) -> None:
    content = torch.zeros(zeros, dtype=torch.uint8)
    if path.suffix == ".pt":
        network = torch.nn.Module()
        network.register_buffer("zeros", content)
        torch.jit.save(torch.jit.script(network), path)
    else:
        torch.save({"state_dict": {"zeros": content}, "loops": {}, "global_step": 1}, path)


@pytest.mark.parametrize("name", ["x_model.pt", "x_model.pt2", "x.ckpt"])
@pytest.mark.parametrize("declared", [None, 3 << 30], ids=["compressed", "declared"])
def test_archive_bomb_is_refused_before_it_is_unpacked(
    declared: int | None, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / name
    bomb(path, 1 << 10 if declared else 20 << 20)
    repacked(path, declared)
    for reader in ("torch._C.import_ir_module_from_buffer", "torch.load", "torch.export.load"):
        monkeypatch.setattr(reader, lambda *args, **options: pytest.fail("it was unpacked"))
    with pytest.raises(UserError, match=rf"{name} has 0\.\d MB and declares (21|3,221) MB"):
        load_network(path)


def test_bomb_as_a_checkpoint_to_resume_from_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    bomb(Path("my.ckpt"), 20 << 20)
    repacked(Path("my.ckpt"))
    line = refused(train.main, [*TRAIN, "--ckpt_path", "my.ckpt"], capsys)
    assert "--ckpt_path: my.ckpt has 0.0 MB and declares 21 MB" in line


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".safetensors"])
def test_code_in_weights_does_not_run(
    suffix: str, proof: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"weights{suffix}"
    torch.save({"conv1.weight": RunsCode(proof)}, path)
    argv = ["--model", "resnet50", "--data.source", "mnist5k", "--model.weights", str(path)]
    line = refused(train.main, [*argv, "--output_dir", str(tmp_path / "output")], capsys)
    expected = "not a safetensors file" if suffix == ".safetensors" else "nothing was run"
    assert path.name in line
    assert expected in line
    assert not proof.exists()


BOUNDED = """
import resource, struct, sys
from pathlib import Path
from mnist_lightning.data.idx import read_idx
from mnist_lightning.data.npz import read_npz
from mnist_lightning.errors import DataError
used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for name, read in (("absurd", lambda p: read_idx(p, ndim=3)), ("absurd.npz", read_npz)):
    try:
        read(Path(name))
    except DataError as error:
        print(error)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - used) // 1024)
"""


def test_absurd_headers_take_no_memory(tmp_path: Path) -> None:
    sizes = np.array([9_999_999, 28, 28], dtype=">u4").tobytes()
    (tmp_path / "absurd").write_bytes(bytes([0, 0, 8, 3]) + sizes + bytes(99))
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|u1", "fortran_order": False, "shape": (2**31, 28, 28)}
    )
    with zipfile.ZipFile(tmp_path / "absurd.npz", "w") as archive:
        for key in ("x_train", "y_train", "x_test", "y_test"):
            archive.writestr(f"{key}.npy", header.getvalue())
    done = subprocess.run(
        [sys.executable, "-c", BOUNDED],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (60, 60)),
    )
    first, second, megabytes = done.stdout.splitlines()
    assert "absurd has 0.0 MB and declares 7,840 MB" in first
    assert "absurd.npz is damaged" in second
    assert int(megabytes) < 100
