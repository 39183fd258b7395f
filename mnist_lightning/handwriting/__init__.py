"""From photographs and drawings to digits in MNIST's form, and to the models' answers."""
