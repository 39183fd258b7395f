"""Errors against the number of labelled digits: `python scripts/learning_curve.py`."""

import sys

from mnist_lightning.commands.learning_curve import main

if __name__ == "__main__":
    sys.exit(main())
