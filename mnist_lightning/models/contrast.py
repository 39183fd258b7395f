"""Contrast normalisation, the first step of every network of the study."""

from torch import Tensor, nn

#: Smallest difference between the brightest and the darkest pixel that counts as contrast. A blank
#: image with some noise must stay blank; the faintest digit that people read has about this.
CONTRAST_FLOOR = 16


class ContrastNormalisation(nn.Module):
    """Shifts and stretches each image so that its pixels range from 0 to 1.

    Brightness and contrast of a photograph do not change which digit it shows, and a network that
    was trained on black backgrounds answers at random on grey ones. An image whose pixels differ by
    less than ``CONTRAST_FLOOR`` is shifted and not stretched.

    Args:
        enabled: False only divides by 255, as the networks without this layer do.

    Shape:
        - Input: uint8 or float ``(N, 1, H, W)``, 0 to 255.
        - Output: float32 ``(N, 1, H, W)``, 0 to 1.
    """

    def __init__(self, enabled: bool = True) -> None:
        super().__init__()
        self.enabled = enabled
        # An attribute, because TorchScript cannot read the globals of a module in forward().
        self.floor = float(CONTRAST_FLOOR)

    def forward(self, images: Tensor) -> Tensor:
        """Return the images with their full contrast."""
        pixels = images.float()
        if not self.enabled:
            return pixels / 255
        darkest = pixels.amin(dim=(1, 2, 3), keepdim=True)
        contrast = pixels.amax(dim=(1, 2, 3), keepdim=True) - darkest
        # 255 if there is no contrast; without a branch, which exported programs cannot have.
        return (pixels - darkest) / contrast.where(contrast >= self.floor, 255.0)
