"""Trained networks as files: exports in several formats, and weights; loading any of them."""
