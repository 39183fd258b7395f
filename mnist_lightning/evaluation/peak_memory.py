"""Peak memory of a process that only loads a model and predicts.

Run as ``python -m mnist_lightning.evaluation.peak_memory FILE BATCH``, because the peak of the
calling process is that of its whole history.
"""

import json
import subprocess
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path

TIMEOUT_SECONDS = 300


@dataclass(frozen=True)
class PeakMemory:
    """Resident memory of a fresh process that loads the exported file and predicts.

    Attributes:
        batch_size: Number of images in the batch that it predicts three times.
        baseline_bytes: Peak before the file is opened: Python and PyTorch alone.
        peak_bytes: Peak at the end; the difference is due to the model.
    """

    batch_size: int
    baseline_bytes: int
    peak_bytes: int


def measure_peak_memory(model: Path, batch_size: int) -> PeakMemory | None:
    """Measure the peak memory of loading an exported model and predicting with it.

    Args:
        model: A TorchScript or .pt2 file, uint8 ``(N, 1, 28, 28)`` to logits.
        batch_size: Images per call, at least 1.

    Returns:
        The peak; None if the system does not report it (Windows) or the process failed.
    """
    command = [sys.executable, "-m", __name__, str(model.resolve()), str(batch_size)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=TIMEOUT_SECONDS
        )
        before, after = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return PeakMemory(batch_size, before, after)


def own_peak_bytes() -> int:
    """Return the peak resident memory of this process in bytes."""
    status = Path("/proc/self/status")
    if status.is_file():
        # Not getrusage: on Linux its maximum survives exec, so a small process started by a large
        # one reports the large one's memory.
        lines = status.read_text(encoding="ascii", errors="replace").splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def main() -> None:
    """Print the peak before loading and after predicting, in bytes, as a JSON list."""
    import torch

    from mnist_lightning.data.digits import SIDE

    path, batch_size = sys.argv[1], int(sys.argv[2])
    # Loading warns that TorchScript is deprecated, but nobody reads the output of this process.
    warnings.simplefilter("ignore")
    images = torch.zeros(batch_size, 1, SIDE, SIDE, dtype=torch.uint8)
    before = own_peak_bytes()
    model = (
        torch.jit.load(path, map_location="cpu")  # type: ignore[no-untyped-call]
        if path.endswith(".pt")
        else torch.export.load(path).module()
    )
    with torch.inference_mode():
        for _ in range(3):
            model(images)
    print(json.dumps([before, own_peak_bytes()]))


if __name__ == "__main__":
    main()
