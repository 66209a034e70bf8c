"""`python -m pipeline.runtime.worker_process PARENT`: a worker of the local engine; see `workers`."""

import sys

from configs import load_arrow, load_beam, load_numba, loading, share_heaps

if __name__ == "__main__":
    share_heaps()
    with loading():
        load_beam()
        load_numba()
        load_arrow()
        from pipeline.runtime.workers import main

    main(int(sys.argv[1]))
