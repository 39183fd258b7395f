"""Where digits come from, and how they reach the network.

It imports nothing: what only reads digits shall not wait for Lightning.
"""
