"""Practicalities: what keeps activations and gradients in range."""

LESSONS = {
    "clipping": "gradient clipping: a recurrent network that explodes, and does not",
    "initialization": "initialisation: the signal through twenty rectified layers",
    "batch_norm": "batch normalisation: ten sigmoid layers that learn nothing, and learn",
}
