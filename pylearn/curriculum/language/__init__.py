"""Language models and embeddings."""

LESSONS: dict[str, str] = {
    "bag_of_words": "bag of words: which words a text has, not where, and a logistic regression",
    "embedding_cnn": "a convolution over embedded words: each word a point, each filter a phrase",
    "frozen_vectors": "frozen word vectors: what words mean is learned from their neighbours, without labels",
    "cnn_lstm": "convolution, then recurrence: phrases in order",
    "stacked": "stacked recurrence: a second LSTM reads what the first one says",
    "bidirectional": "bidirectional recurrence: reading from both ends",
}
