"""Mixtures of prompts: items of sources, templates, and what is kept of the prompts that they make."""
