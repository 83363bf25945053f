"""Practicalities: what keeps activations and gradients in range."""

LESSONS = {
    "clipping": "gradient clipping: a recurrent network that explodes, and does not",
    "initialization": "initialisation: the signal through twenty rectified layers",
    "batch_norm": "batch normalisation: ten sigmoid layers that learn nothing, and learn",
    "first_overfit": "first overfit: a network that cannot learn 32 digits by heart has a mistake in it",
    "accumulation": "gradient accumulation: four batches of 8 are one batch of 32",
    "learning_rate": "the learning rate: find the largest that works, go up to it and down again",
    "normalization": "feature normalisation: bring every column to mean 0 and variance 1 first",
}
