"""Regularisation: what keeps networks from learning the sample by heart."""

LESSONS = {
    "dropout": "dropout: a fifth of the units left out at random against overfitting",
    "sparsity": "sparse activations: a penalty on what the units say, not on their weights",
    "early_stopping": "early stopping: the best epoch is not the last",
}
