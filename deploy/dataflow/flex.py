"""What the Flex template's launcher runs: see README.md."""

from pipeline.runtime.driver_job import run

if __name__ == "__main__":
    run()
