"""How many threads torch uses, and how they wait for work; decided before torch is imported."""

import os
from collections.abc import MutableMapping

#: Rounds of a waiting OpenMP thread's loop before it sleeps. GNU OpenMP takes 300,000 by default
#: where there are no more threads than cores: beside other busy processes the threads of one step
#: then keep each other from running. With 1,000, a thread sleeps between the operators of a step,
#: which made steps on an idle machine slower. ``python -m benchmarks.thread_waiting`` compares.
SPIN_COUNT = 10_000
#: If the user has set one of them, the choice is theirs.
_CHOICES = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")


def shorten_waiting(environment: MutableMapping[str, str] | None = None) -> None:
    """Let OpenMP threads that wait for work sleep soon, unless the user has decided that.

    It only has an effect before torch is imported, which is when OpenMP reads the environment, and
    on processes that are started later. The number of threads does not change.

    Args:
        environment: The environment to change; None for that of this process.
    """
    environment = os.environ if environment is None else environment
    if not any(name in environment for name in _CHOICES):
        environment["GOMP_SPINCOUNT"] = str(SPIN_COUNT)
