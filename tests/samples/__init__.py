"""The records of the ops, by family; op_samples.py joins them."""
