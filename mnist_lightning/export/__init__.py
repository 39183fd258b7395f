"""Trained networks as files: TorchScript, .pt2, ONNX, int8 and weights; loading any of them."""
