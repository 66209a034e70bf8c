"""The model over many ranks: one technique a file, applied from outside."""
