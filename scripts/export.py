"""Export a trained model to other formats: `python scripts/export.py --model custom_cnn`."""

import sys

from mnist_lightning.commands.export import main

if __name__ == "__main__":
    sys.exit(main())
