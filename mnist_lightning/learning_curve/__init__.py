"""Errors of each model trained on more and more labelled digits."""
