"""Network, losses, matching and metrics of SORN.

This package works on tensors and arrays. It opens no file and uses no path.
"""
