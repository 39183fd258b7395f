"""The fifteen corruptions of MNIST-C, and the error rates of models on them.

The corruptions are those of Mu and Gilmer: MNIST-C: A Robustness Benchmark for Computer Vision
(ICML 2019 workshop, arXiv:1906.02337). Where a corruption has five severities, their parameters are
those of Hendrycks and Dietterich: Benchmarking Neural Network Robustness to Common Corruptions and
Perturbations (ICLR 2019, arXiv:1903.12261), adapted to 28 x 28 pixels. This is an independent
implementation with other random numbers, so the pixels differ from the published files: compare
error rates measured here with one another, and with published ones only roughly.
"""
