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
print("scipy.linalg" in sys.modules, "scipy.linalg.cython_blas" in sys.modules)
"""


def test_a_kernel_needs_no_scipy() -> None:
    told = subprocess.run([sys.executable, "-c", USES_A_KERNEL], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["False", "False"]
