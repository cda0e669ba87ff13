"""The neural networks, the n-gram language model, and how the two are blended."""
