"""Read handwritten digits in image files: `python scripts/predict.py photo.jpg`."""

import sys

from mnist_lightning.commands.predict import main

if __name__ == "__main__":
    sys.exit(main())
