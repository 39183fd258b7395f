"""Digits made harder to read: the fifteen corruptions of MNIST-C, written anew.

Mu and Gilmer: MNIST-C: A Robustness Benchmark for Computer Vision (ICML 2019 workshop,
arXiv:1906.02337) choose them; where a corruption has five severities, their scales are those of
Hendrycks and Dietterich: Benchmarking Neural Network Robustness to Common Corruptions and
Perturbations (ICLR 2019, arXiv:1903.12261), brought to 28 x 28 pixels. The random numbers, and
with them the pixels, are not those of the published files: errors measured here can be compared
with one another, and with published ones only in kind.
"""
