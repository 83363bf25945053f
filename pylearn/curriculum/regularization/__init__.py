"""Regularisation: what keeps networks from learning the sample by heart."""

LESSONS = {
    "dropout": "dropout: a fifth of the units left out at random against overfitting",
    "sparsity": "sparse activations: a penalty on what the units say, not on their weights",
    "early_stopping": "early stopping: the best epoch is not the last",
    "ensembles": "ensembles: the mean of five networks knows better than they do, and better how sure it is",
    "adversarial": "adversarial examples: a change too small to matter misleads a network that has not trained on it",
    "augmentation": "augmentation: digits moved at random while training, so that their place does not matter",
}
