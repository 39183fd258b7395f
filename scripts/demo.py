"""Draw digits in the browser, classified by the trained models: `python scripts/demo.py`."""

import sys

from mnist_lightning.commands.demo import main

if __name__ == "__main__":
    sys.exit(main())
