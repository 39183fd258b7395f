"""The effect of the allocator setting: page faults when the same memory is allocated again."""

import platform
import subprocess
import sys

import pytest

# Blocks as large as the activations of a network; glibc would map and unmap each of them.
COUNT_PAGE_FAULTS = """
import resource, sys
import numpy as np
from mnist_lightning.training.allocator import keep_freed_memory

if sys.argv[1] == "kept":
    print(keep_freed_memory(), file=sys.stderr)

def step():
    np.ones(64 * 2**20, np.uint8)

step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def _run(how: str) -> tuple[str, int]:
    done = subprocess.run(
        [sys.executable, "-c", COUNT_PAGE_FAULTS, how], capture_output=True, text=True, check=True
    )
    return done.stderr.strip(), int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="not glibc's malloc")
def test_freed_memory_is_used_again_without_new_pages() -> None:
    _, given_back = _run("default")
    taken, kept = _run("kept")

    assert taken == "True"
    assert given_back > 100
    assert kept < given_back / 10
