"""Neural networks: softmax regression, hidden layers, dropout, residual blocks."""

LESSONS = {
    "softmax": "softmax regression: a network without hidden layers reads digits",
    "mlp": "multilayer perceptron: one hidden layer of 100 rectified units",
    "dropout": "dropout: a fifth of the units left out at random against overfitting",
    "residual": "residual network: forty layers learn once there is a way around them",
}
