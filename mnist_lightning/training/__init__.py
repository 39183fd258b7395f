"""What the Trainer gets besides model and data: callbacks, precision, checkpoints, logger."""
