"""From photographs and drawings to digits as MNIST has them: pixels only, no network."""
