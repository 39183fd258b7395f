"""From predictions to numbers: metrics, calibration, rejection, latency, cost, label errors."""
