"""Runs probes and prints a JSON line for each; needs nothing but Python."""

import hashlib
import json
import resource
import sys
from collections.abc import Callable
from importlib.metadata import version

Probe = tuple[str, str, Callable[[], dict]]
"""Package, what of it is tried, and a function that gives `rows` and `digest`, or `difference`."""


def run(probes: dict[str, Probe]) -> None:
    """Run those named on the command line behind the folder of inputs."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    for name in sys.argv[2:]:
        package, opened, probe = probes[name]
        row = {"client": package, "version": version(package), "opened": opened}
        try:
            row |= probe()
        except Exception as error:
            row |= {"error": f"{type(error).__name__}: {error}"[:200]}
        print("PROBE " + json.dumps(row), flush=True)


def inputs() -> str:
    """The folder of what the clients open."""
    return sys.argv[1]


def digest(rows) -> str:
    """Of ids, texts and sources, in the order of ids."""
    lines = sorted(json.dumps([row["id"], row["text"], row["source"]]) for row in rows)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
