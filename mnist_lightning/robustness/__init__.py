"""The fifteen corruptions of MNIST-C, and the error rates of models on them.

The corruptions are those of Mu and Gilmer: MNIST-C: A Robustness Benchmark for Computer Vision
(ICML 2019 workshop, arXiv:1906.02337), whose code derives many of them from Hendrycks and
Dietterich: Benchmarking Neural Network Robustness to Common Corruptions and Perturbations (ICLR
2019, arXiv:1903.12261). They are implemented again after that code (github.com/google-research/
mnist-c, with scikit-image 0.15), rounded to whole grey levels. The docstring of each says how far
it is from the code: none differs in its distribution. The random numbers differ, so that the
pixels are not those of the published files.
"""
