"""Sources of digits, augmentation, and the LightningDataModule."""
