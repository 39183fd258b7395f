"""Trained networks as files: TorchScript, .pt2, ONNX and int8; loading any of them again."""
