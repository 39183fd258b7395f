"""Combine the networks of several seeds into one file: `python scripts/ensemble.py`."""

import sys

from mnist_lightning.commands.ensemble import main

if __name__ == "__main__":
    sys.exit(main())
