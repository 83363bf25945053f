"""Regression: lines, their loss, and two ways to its minimum."""

LESSONS = {
    "least_squares": "linear regression twice: in closed form, and as a network of one neuron",
}
