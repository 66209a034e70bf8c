"""What compiled kernels load, and what they do not."""

import os
import subprocess
import sys
from pathlib import Path

USES_A_KERNEL = """
import sys
from configs import load_numba
load_numba()
import numpy as np
from pipeline.language_id.kernels import gather
gather(np.array([[0, 3]]), np.frombuffer(b"abc", np.uint8))
print(*sorted({"cffi", "scipy.linalg", "scipy.linalg.cython_blas"} & set(sys.modules)))
"""


def test_a_kernel_needs_neither_scipy_nor_cffi() -> None:
    told = subprocess.run([sys.executable, "-c", USES_A_KERNEL], capture_output=True, text=True, check=True)
    assert told.stdout.split() == []


ASKS_ARROW = """
import sys
from configs import load_arrow
load_arrow()
import pyarrow as pa
pa.array(["a"])
print("pandas" in sys.modules)
import pandas
"""


def test_arrow_takes_lists_without_pandas_which_others_can_load() -> None:
    told = subprocess.run([sys.executable, "-c", ASKS_ARROW], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["False"]


COMPILES_WHAT_USES_A_LOADED_ONE = """
from configs import load_numba
load_numba()
import numpy as np
from numba import njit
from numba.core.registry import cpu_target
from pipeline.language_id.kernels import gather
edges, data = np.array([[0, 3], [4, 6]]), np.frombuffer(b"abc de", np.uint8)
out = gather(edges, data)[1].tobytes()
knows_python = bool(cpu_target.target_context._registries)
length = njit(lambda edges, data: len(gather(edges, data)[1]))
print(out, length(edges, data), sum(gather.stats.cache_hits.values()), knows_python)
"""


def test_a_loaded_kernel_does_what_a_compiled_one_does_and_waits_for_no_compiler(tmp_path: Path) -> None:
    told = [
        subprocess.run(
            [sys.executable, "-c", COMPILES_WHAT_USES_A_LOADED_ONE],
            env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        for _ in range(2)
    ]
    assert told == [["b'abc\\nde\\n'", "7", "0", "True"], ["b'abc\\nde\\n'", "7", "1", "False"]]
