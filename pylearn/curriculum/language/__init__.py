"""Language models and embeddings."""

LESSONS: dict[str, str] = {}
