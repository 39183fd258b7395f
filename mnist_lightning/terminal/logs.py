"""Logging set-up of the commands: our messages on stderr, fewer of Lightning's."""

import logging
import sys
import warnings

from mnist_lightning.terminal.streams import one_line


class _OneLine(logging.Formatter):
    """Escapes control characters, which names of files can contain."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # of the base class
        return one_line(super().formatMessage(record))


def configure_logging(level: int = logging.INFO) -> None:
    """Show this package's messages, and hide those of Lightning that need no action.

    Args:
        level: The lowest level of this package's messages that is shown.
    """
    logging.captureWarnings(False)
    # The hardware, an interruption and a resumed checkpoint are reported by our own code.
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # Lightning explains here why it kills all processes of a training after one has died.
    logging.getLogger("lightning.fabric.strategies.launchers").setLevel(logging.INFO)
    # The summary of --trainer.profiler.
    logging.getLogger("lightning.pytorch.profilers").setLevel(logging.INFO)
    log = logging.getLogger("mnist_lightning")
    log.setLevel(level)
    if not log.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(_OneLine("%(levelname)s: %(message)s"))
        log.addHandler(handler)
        log.propagate = False
    # Lightning 2.6 calls a deprecated function of torch in every fit (Lightning issue 21326).
    warnings.filterwarnings("ignore", message=".*LeafSpec.*", category=FutureWarning)
    # Every resumed run continues in the folder of its checkpoint.
    warnings.filterwarnings("ignore", message="Checkpoint directory .* exists and is not empty")
    # Checkpoints of older versions contain the state of RunCheckpoint, which has none any more.
    states = r".*the following callbacks: \[(\"RunCheckpoint\{[^}]*\}\"(, )?)+\]"
    warnings.filterwarnings("ignore", message=states)
    # torchmetrics has already reduced the metrics over all processes.
    warnings.filterwarnings("ignore", message=".*sync_dist=True.*")
