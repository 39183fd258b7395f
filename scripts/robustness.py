"""Measure the trained models on corrupted digits: `python scripts/robustness.py`."""

import sys

from mnist_lightning.commands.robustness import main

if __name__ == "__main__":
    sys.exit(main())
