"""What to build, as data: languages, sources, recipes, and the models that validate them."""

import gc
import logging
import os
import stat
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from configs.kernels import drop_stale_kernels

CONFIGS = Path(__file__).parent
"""Folder of the TOML files that come with the package."""


def _place_compiled_kernels() -> None:
    """Where this package cannot be written to, let numba keep compiled kernels in a folder of this user's.

    Numba refuses to compile what it is told to cache but cannot cache. It reads the variable when it is imported.
    """
    if "NUMBA_CACHE_DIR" in os.environ or all(os.access(CONFIGS.parent / name, os.W_OK) for name in _COMPILED):
        return
    user = f"openroots-kernels-{os.getuid()}"
    places = [Path(tempfile.gettempdir(), user), Path("/dev/shm", user)]
    with suppress(RuntimeError, KeyError):  # no home folder
        if (home := Path.home()).is_dir():
            places.insert(0, Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache", "openroots", "kernels"))
    for folder in places:
        with suppress(OSError):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            about = folder.stat()
            is_ours = about.st_uid == os.geteuid() and not about.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
            if is_ours and os.access(folder, os.W_OK):  # what lies there is run
                os.environ["NUMBA_CACHE_DIR"] = str(folder)
                return


@contextmanager
def loading() -> Iterator[None]:
    """Within this block no garbage is collected, which would take a sixth of the time that our modules need to
    load; what exists at its end is never collected. For processes that are wholly ours.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def share_heaps() -> None:
    """Let the threads of this process share two heaps of the C library, unless the environment says otherwise.

    glibc gives every thread one, up to eight a core, and keeps in each what was freed there; Beam starts threads for
    every pipeline. For processes that are wholly ours, before they have threads.
    """
    import ctypes

    if "MALLOC_ARENA_MAX" not in os.environ:
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)


def load_numba() -> None:
    """Load what numba needs for kernels that it has compiled, but neither SciPy, which takes as long again, nor cffi.

    Where they are installed, numba would import them, for products of matrices and for functions in C; no kernel has
    any of these.
    """
    with _hidden("cffi"):
        import numba.core.caching
        import numba.core.typing.cffi_utils
        import numba.np.linalg

        with _hidden("scipy.linalg.cython_blas"):
            import numba.np.arraymath
    if hasattr(numba.core.caching.Cache, "_load_overload"):  # a later numba may do without
        numba.core.caching.Cache.load_overload = _load_compiled  # type: ignore[method-assign]


def _load_compiled(cache: Any, signature: Any, target: Any) -> Any:
    """Load a compiled kernel as numba does, but skip the registries of all that it can compile (0.3 s a process).

    Compiling fills them itself; a loaded kernel only needs its memory to be there.
    """
    from numba.core.runtime import rtsys

    rtsys.initialize(target)
    return cache._load_overload(signature, target)


def load_beam() -> None:
    """Load Beam as its local runner needs it: without clients of a cloud and a database, and pandas: a third of it.

    Not for a driver whose Beam options may name a cloud: Beam would find no file system for its URLs.
    """
    logging.getLogger("apache_beam.io.mongodbio").setLevel(logging.ERROR)  # it says that it misses one
    google = ("google.cloud.storage", "google.cloud.dataflow", "apache_beam.io.gcp.bigquery")
    with _hidden(*google, "pymongo", "bson", "pandas"):
        import apache_beam  # noqa: F401


def load_arrow() -> None:
    """Load Arrow as one that has looked for pandas and found none: at the first list it would load it (0.4 s), to see
    whether that is a Series. From then on Arrow can give no pandas, so this is for processes that are wholly ours.
    """
    import pyarrow

    if "pandas" in sys.modules:
        return
    absent = _Absent("pandas")
    sys.meta_path.insert(0, absent)
    try:
        pyarrow.array([""])
    finally:
        sys.meta_path.remove(absent)


class _Absent:
    """Finds, for the import system, that there is no such module."""

    def __init__(self, name: str) -> None:
        self._name = name

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        """Raise for the module, be silent of all others."""
        if fullname == self._name:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)


@contextmanager
def _hidden(*names: str) -> Iterator[None]:
    """Within this block modules that are not loaded yet cannot be imported."""
    absent = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type] # None: cannot be imported
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


# Beam warns on the root logger, as it is imported, of an optional package for one cloud.
logging.getLogger().addFilter(lambda record: "apitools not found" not in record.getMessage())
_COMPILED = ("pipeline", "tokenizer")
_M_ARENA_MAX = -8  # of glibc's malloc.h
_place_compiled_kernels()
drop_stale_kernels(CONFIGS.parent, _COMPILED, Path(place) if (place := os.environ.get("NUMBA_CACHE_DIR")) else None)
