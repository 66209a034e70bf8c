"""What to build, as data: languages, sources, recipes, and the models that validate them."""

import os
import stat
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

CONFIGS = Path(__file__).parent
"""Folder of the TOML files that come with the package."""


def _place_compiled_kernels() -> None:
    """Where this package cannot be written to, let numba keep compiled kernels in a folder of this user's.

    Numba refuses to compile what it is told to cache and cannot. It reads the variable when it is imported.
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


def load_numba() -> None:
    """Load what numba needs for kernels that it has compiled, but not SciPy, which takes as long again.

    Where SciPy is installed, numba would import it for products of matrices; no kernel has any.
    """
    import numba.np.linalg

    blas = "scipy.linalg.cython_blas"
    absent = blas not in sys.modules
    if absent:
        sys.modules[blas] = None  # type: ignore[assignment] # Python's sign for: cannot be imported
    try:
        import numba.np.arraymath  # noqa: F401
    finally:
        if absent:
            del sys.modules[blas]


_COMPILED = ("pipeline", "tokenizer")
_place_compiled_kernels()
