"""How threads wait: only what the user has not decided is decided here."""

import pytest

from mnist_lightning.terminal.threads import SPIN_COUNT, shorten_waiting


def test_threads_wait_shortly_where_nobody_has_decided_it() -> None:
    environment = {"OMP_NUM_THREADS": "2"}

    shorten_waiting(environment)

    assert environment == {"OMP_NUM_THREADS": "2", "GOMP_SPINCOUNT": str(SPIN_COUNT)}


@pytest.mark.parametrize("choice", [{"GOMP_SPINCOUNT": "7"}, {"OMP_WAIT_POLICY": "ACTIVE"}])
def test_what_the_user_has_set_stays(choice: dict[str, str]) -> None:
    environment = dict(choice)

    shorten_waiting(environment)

    assert environment == choice
