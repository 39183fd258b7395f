"""Comparing models and seeds: loading, paired statistics, conclusions in sentences."""
