"""The choice of the Trainer's precision by the hardware."""

from pathlib import Path

import torch

CPUINFO = Path("/proc/cpuinfo")


def choose_precision(accelerator: str) -> tuple[str, str]:
    """Choose bfloat16 where the hardware supports it, else float32.

    bfloat16 has the range of float32, so it needs no loss scaling; but a processor without
    bfloat16 instructions emulates them, which is slower than float32.

    Args:
        accelerator: Type of the Trainer's torch device: ``cpu``, ``cuda``, ...

    Returns:
        ``bf16-mixed`` or ``32-true``, and a short reason.
    """
    if accelerator == "cuda":
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return "bf16-mixed", f"{torch.cuda.get_device_name()} computes in bfloat16"
        return "32-true", f"{torch.cuda.get_device_name()} has no bfloat16 units"
    if accelerator == "cpu":
        for flag in sorted({"amx_bf16", "avx512_bf16"} & _cpu_flags()):
            return "bf16-mixed", f"the processor has {flag.replace('_', '-').upper()}"
        return "32-true", "no bfloat16 instructions were found"
    return "32-true", f"bfloat16 was not measured on {accelerator}"


def _cpu_flags() -> set[str]:
    """Return the processor's feature flags as Linux lists them; empty on other systems."""
    try:
        lines = CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return set()
    return {flag for line in lines if line.startswith("flags") for flag in line.split()}
