"""The record of a trained model, its predictions, and the environment they were made in."""
