"""Learning from samples: descent, risk, and what can be said of data not seen."""

LESSONS = {
    "sgd": "stochastic gradient descent by hand, one example at a time",
    "minibatch": "mini-batches: some examples at a time, and how many",
    "representative": "the sample must be representative of the population",
    "leakage": "validation leaks: the best of many models is not as good as it looks",
}
