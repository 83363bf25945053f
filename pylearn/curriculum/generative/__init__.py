"""Generative models and latent variables."""

LESSONS: dict[str, str] = {}
