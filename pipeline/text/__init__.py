"""Documents as columns: schemas, and what all stages do with columns of text."""
