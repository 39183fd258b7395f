"""Train one model of the study: `python scripts/train.py --model cnn`."""

import sys

from mnist_lightning.commands.train import main

if __name__ == "__main__":
    sys.exit(main())
