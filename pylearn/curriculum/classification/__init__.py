"""Classification: probabilities of classes."""

LESSONS = {
    "softmax": "softmax regression: a network without hidden layers reads digits",
}
