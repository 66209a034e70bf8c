"""`python -m pipeline.runtime.worker_process PARENT`: a worker of the local engine; see `workers`."""

import sys

from configs import load_arrow, load_beam, load_numba, loading

if __name__ == "__main__":
    with loading():
        load_beam()
        load_numba()
        load_arrow()
        from pipeline.runtime.workers import main

    main(int(sys.argv[1]))
