"""A callback that tests add to a training in a process of its own."""

from lightning import Callback

from mnist_lightning.evaluation import latency


class ShortTimings(Callback):
    """Times the network briefly, as ``conftest.py`` does in the process of the tests."""

    def __init__(self) -> None:
        latency.BUDGET_SECONDS = 0.05
