"""How far an exported file is from the network it was made from."""

from torch import Tensor

from mnist_lightning.evaluation.schema import ExportParity


def measure_parity(name: str, expected: Tensor, found: Tensor) -> ExportParity:
    """Compare logits.

    Args:
        name: Format of the file, e.g. ``ONNX``.
        expected: float32 ``(N, 10)``, of the network; ``N`` is at least 1.
        found: float32 ``(N, 10)``, of the file after it was loaded again.
    """
    return ExportParity(
        format=name,
        max_abs_difference=(found - expected).abs().max().item(),
        argmax_agreement=(found.argmax(1) == expected.argmax(1)).float().mean().item(),
        n=len(expected),
    )
