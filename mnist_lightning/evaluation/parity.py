"""The difference between an exported file and the network it was made from."""

from dataclasses import dataclass

from torch import Tensor

from mnist_lightning.files.limits import Count, NotNegative, Share


@dataclass(frozen=True)
class ExportParity:
    """Logits of an exported file, loaded again, compared with those of its network.

    Attributes:
        format: Format of the file, e.g. ``TorchScript``.
        max_abs_difference: Largest absolute difference between two logits.
        argmax_agreement: Share of the images with the same prediction, 0 to 1.
        n: Number of images compared.
    """

    format: str
    max_abs_difference: NotNegative
    argmax_agreement: Share
    n: Count


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
