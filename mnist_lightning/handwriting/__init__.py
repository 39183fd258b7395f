"""Reading handwritten digits: finding them on a page, preparing them like MNIST, classifying."""
