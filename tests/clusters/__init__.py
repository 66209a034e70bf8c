"""`make clusters`: builds on real clusters and object stores, with faults on the way."""
