"""Compare the trained models on the same test images: `python scripts/compare.py`."""

import sys

from mnist_lightning.commands.compare import main

if __name__ == "__main__":
    sys.exit(main())
