"""Where digits come from, and the LightningDataModule that feeds them to every model."""
