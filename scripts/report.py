"""Update the generated parts of the technical report: `python scripts/report.py`."""

import sys

from mnist_lightning.commands.report import main

if __name__ == "__main__":
    sys.exit(main())
