"""The training data: names with labels, splits that share no string, and the batches drawn from them."""
