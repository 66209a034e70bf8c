"""From sources to a corpus: columnar kernels and the Beam stages around them."""

import logging

import configs  # noqa: F401 - finds a place for compiled kernels

# Beam warns on the root logger, as it is imported, of an optional package for one cloud.
logging.getLogger().addFilter(lambda record: "apitools not found" not in record.getMessage())
