"""From sources to a corpus: columnar kernels and the Beam stages around them."""

import configs  # noqa: F401 - finds a place for compiled kernels, keeps Beam's import quiet
