"""The environment in which a record was made: source revision, machine and versions."""

import os
import platform
import subprocess
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path

import torch

from mnist_lightning import __version__
from mnist_lightning.files.limits import Count

PACKAGE = Path(__file__).resolve().parents[1]
RECORDED_PACKAGES = ("torch", "torchvision", "lightning", "torchmetrics", "numpy", "scikit-learn")


@dataclass(frozen=True)
class Environment:
    """Where and when a record was made, without names of paths or hosts.

    Attributes:
        created: When this description was made, UTC, ISO 8601 to the second.
        commit: Git commit of the source, 40 hexadecimal digits; null if the package is not in a
            git checkout, e.g. because it was installed from a wheel.
        dirty: Whether tracked files outside ``output/`` differed from ``commit``; null without one.
        python: Version of Python.
        platform: Operating system and machine type, e.g. ``Linux x86_64``.
        processor: Name of the processor.
        logical_cores: Logical processor cores of the machine, at least 1.
        gpu: Name of the first CUDA device; null without one.
        versions: Versions of this package and of those that affect the results, by name.
    """

    created: str
    commit: str | None
    dirty: bool | None
    python: str
    platform: str
    processor: str
    logical_cores: Count
    gpu: str | None
    versions: dict[str, str]


def describe_environment() -> Environment:
    """Describe this machine and this source tree as they are now.

    Call it when the program starts, so that it names the commit whose code is running.
    """
    commit, dirty = source_revision(PACKAGE)
    return Environment(
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        commit=commit,
        dirty=dirty,
        python=platform.python_version(),
        platform=f"{platform.system()} {platform.machine()}",
        processor=_processor_name(),
        logical_cores=os.cpu_count() or 1,
        gpu=torch.cuda.get_device_name(0) if torch.cuda.is_available() else None,
        versions={"mnist-lightning": __version__} | {p: version(p) for p in RECORDED_PACKAGES},
    )


def source_revision(folder: Path) -> tuple[str | None, bool | None]:
    """Return the git commit of a folder of source files.

    Args:
        folder: A folder of Python source with an ``__init__.py``.

    Returns:
        The commit, and whether tracked files differ from it. Results under ``output/`` do not
        count, because a run replaces them before its record is written. Both are None without git
        and if git does not track the folder: a package in a virtual environment inside another
        project's checkout is not part of that project's commit.
    """
    if _git(folder, "ls-files", "--error-unmatch", "__init__.py") is None:
        return None, None
    commit = _git(folder, "rev-parse", "HEAD")
    changes = _git(
        folder, "status", "--porcelain", "--untracked-files=no", "--", ":/", ":(top,exclude)output"
    )
    return commit, None if commit is None else bool(changes)


def _git(folder: Path, *arguments: str) -> str | None:
    return _output("git", "--no-optional-locks", "-C", str(folder), *arguments)


def _output(*command: str) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _processor_name() -> str:
    # platform.processor() is empty on most Linux systems and only says "arm" on a Mac.
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    name = _output("/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string")
    return name or platform.processor() or platform.machine()
