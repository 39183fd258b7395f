from pathlib import Path

import pytest
import torch

from mnist_lightning.training import precision
from mnist_lightning.training.precision import choose_precision


@pytest.fixture
def cpuinfo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "cpuinfo"
    monkeypatch.setattr(precision, "CPUINFO", path)
    return path


def _processor(flags: str) -> str:
    core = "processor\t: {}\nmodel name\t: Some Processor\nflags\t\t: fpu sse2 {}\nbugs\t\t: none\n"
    return "\n".join(core.format(number, flags) for number in range(2))


@pytest.mark.parametrize(
    ("flags", "name"),
    [
        ("avx512f avx512_bf16 avx2", "AVX512-BF16"),
        ("amx_bf16 amx_tile avx2", "AMX-BF16"),
        ("avx512_bf16 amx_bf16", "AMX-BF16"),
    ],
)
def test_a_processor_with_bfloat16_instructions_uses_them(
    flags: str, name: str, cpuinfo: Path
) -> None:
    cpuinfo.write_text(_processor(flags))

    assert choose_precision("cpu") == ("bf16-mixed", f"the processor has {name}")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(_processor("avx2 avx512f avx512_fp16 amx_int8"), id="other instructions"),
        pytest.param(_processor("avx512_bf16x xamx_bf16"), id="parts of names"),
        pytest.param("model name\t: amx_bf16 avx512_bf16\n", id="names outside the flags"),
        pytest.param("Features\t: fp asimd bf16\n", id="another architecture"),
        pytest.param("", id="an empty file"),
    ],
)
def test_a_processor_without_bfloat16_instructions_uses_float32(
    content: str, cpuinfo: Path
) -> None:
    cpuinfo.write_text(content)

    assert choose_precision("cpu") == ("32-true", "no bfloat16 instructions were found")


def test_a_system_without_cpuinfo_uses_float32(cpuinfo: Path) -> None:
    assert not cpuinfo.exists()

    assert choose_precision("cpu") == ("32-true", "no bfloat16 instructions were found")


@pytest.mark.parametrize(
    ("in_hardware", "expected"),
    [
        (True, ("bf16-mixed", "Some GPU computes in bfloat16")),
        (False, ("32-true", "Some GPU has no bfloat16 units")),
    ],
)
def test_a_gpu_uses_bfloat16_only_if_it_is_not_emulated(
    in_hardware: bool, expected: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Some GPU")
    monkeypatch.setattr(
        # A Turing GPU supports bfloat16 only by emulation.
        torch.cuda,
        "is_bf16_supported",
        lambda including_emulation=True: including_emulation or in_hardware,
    )

    assert choose_precision("cuda") == expected


def test_other_devices_use_float32() -> None:
    assert choose_precision("mps") == ("32-true", "bfloat16 was not measured on mps")
