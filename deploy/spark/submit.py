"""`openroots` for `spark-submit`, which wants a file: see docs/clusters.md."""

from openroots.cli import main

if __name__ == "__main__":
    main()
