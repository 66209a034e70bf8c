"""From sources to a corpus: columnar kernels and the Beam stages around them."""

import logging

# Beam warns on the root logger, as it is imported, of an optional package for one cloud.
logging.getLogger().addFilter(lambda record: "apitools not found" not in record.getMessage())
