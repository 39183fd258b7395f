"""What the Trainer is given besides model and data: callbacks, precision, checkpoints, loggers."""
