"""From sources to a corpus: columnar kernels and the Beam stages around them."""
