"""Digits that are harder to read: the fifteen corruptions of MNIST-C, and models measured on them.

Mu and Gilmer: MNIST-C: A Robustness Benchmark for Computer Vision (ICML 2019 workshop,
arXiv:1906.02337) choose the corruptions; where one has five severities, their scales are those of
Hendrycks and Dietterich: Benchmarking Neural Network Robustness to Common Corruptions and
Perturbations (ICLR 2019, arXiv:1903.12261), adapted to 28 x 28 pixels. This is a new
implementation with other random numbers, so the pixels are not those of the published files:
compare error rates measured here with one another, and with published ones only roughly.
"""
