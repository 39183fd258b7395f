"""Where digits come from, and how they reach the network."""
