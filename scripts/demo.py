"""Draw a digit and watch the trained models read it: `python scripts/demo.py`."""

import sys

from mnist_lightning.commands.demo import main

if __name__ == "__main__":
    sys.exit(main())
