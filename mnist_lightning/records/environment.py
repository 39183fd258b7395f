"""Where a record was made: source revision, machine and versions."""

import os
import platform
import subprocess
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path

import torch

from mnist_lightning import __version__

PACKAGE = Path(__file__).resolve().parents[1]
PACKAGES_THAT_MATTER = (
    "torch",
    "torchvision",
    "lightning",
    "torchmetrics",
    "numpy",
    "scikit-learn",
)


@dataclass(frozen=True)
class Environment:
    """Where and when a record was made. It names no path and no host.

    Attributes:
        created: When this description was made, UTC, ISO 8601 to the second.
        commit: Git commit of the source, 40 hexadecimal digits; null where the package does not
            stand in a git checkout, as when it was installed from a wheel.
        dirty: Whether tracked files outside ``output/`` differed from ``commit``; null without one.
        python: Version of Python.
        platform: Operating system and machine type, e.g. ``Linux x86_64``.
        processor: Name of the processor.
        logical_cores: Logical processor cores of the machine, at least 1.
        gpu: Name of the first CUDA device; null where there is none.
        versions: Versions of this package and of those that decide the numbers, by name.
    """

    created: str
    commit: str | None
    dirty: bool | None
    python: str
    platform: str
    processor: str
    logical_cores: int
    gpu: str | None
    versions: dict[str, str]


def describe_environment() -> Environment:
    """Describe this machine and this source tree, as they are now.

    Returns:
        The description. Made when a program begins, it names the commit whose code is running.
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
        versions={
            "mnist-lightning": __version__,
            **{name: version(name) for name in PACKAGES_THAT_MATTER},
        },
    )


def source_revision(folder: Path) -> tuple[str | None, bool | None]:
    """Ask git for the commit that a folder of source files belongs to.

    Args:
        folder: A folder of Python source with an ``__init__.py``.

    Returns:
        The commit and whether tracked files differ from it. Results under ``output/`` do not
        count, because a run replaces them while it is being recorded. Both are None without git,
        and where git does not track the folder: a package installed into a virtual environment
        inside another project's checkout has nothing to do with that project's commit.
    """
    if _git(folder, "ls-files", "--error-unmatch", "__init__.py") is None:
        return None, None
    commit = _git(folder, "rev-parse", "HEAD")
    changes = _git(
        folder, "status", "--porcelain", "--untracked-files=no", "--", ":/", ":(top,exclude)output"
    )
    return commit, None if commit is None else bool(changes)


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
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
    if platform.system() == "Darwin":
        done = subprocess.run(
            ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"],
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout.strip() or platform.machine()
    return platform.processor() or platform.machine()
