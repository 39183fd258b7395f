"""Silence what the user cannot act on, one message at a time."""

import logging
import sys
import warnings


def configure_logging() -> None:
    """Keep Lightning's chatter out of a run; warnings that can be acted on are still shown."""
    logging.captureWarnings(False)
    # Chosen hardware, stopping and restoring are reported by this program itself.
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    log = logging.getLogger("mnist_lightning")
    if not log.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
        log.addHandler(handler)
        log.setLevel(logging.INFO)
        log.propagate = False
    # Lightning 2.6 calls a deprecated function of torch in every fit (Lightning issue 21326).
    warnings.filterwarnings("ignore", message=".*LeafSpec.*", category=FutureWarning)
    # True of every resumed run, which goes on in the folder of its checkpoint.
    warnings.filterwarnings("ignore", message="Checkpoint directory .* exists and is not empty")
    # Every process logs the same value: torchmetrics has counted over all of them already.
    warnings.filterwarnings("ignore", message=".*sync_dist=True.*")
