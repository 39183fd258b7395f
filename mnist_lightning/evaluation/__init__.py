"""From an exported model to numbers: predictions, metrics, latency."""
