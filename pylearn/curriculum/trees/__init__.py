"""Trees and ensembles of them."""

LESSONS: dict[str, str] = {}
