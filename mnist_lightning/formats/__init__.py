"""Files that a trained network is exported to, and how they are loaded again."""
