"""The networks, and the LightningModules that train them."""
