"""Foundations of machine learning: regression, risk, gradient descent."""

LESSONS = {
    "regression": "linear regression twice: in closed form, and as a network of one neuron",
    "sgd": "stochastic gradient descent by hand, one example at a time",
}
