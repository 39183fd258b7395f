"""What the Trainer is given beside the model and the data: callbacks, precision, loggers."""
