"""What compiled kernels load, and what they do not."""

import subprocess
import sys

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
