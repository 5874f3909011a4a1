"""Runs the calls of one program: `run.py NAME`, in an environment where the package NAME is installed. Each result goes to the file
that SANDBOX_TEST_REPORT names, a line of JSON each."""

import runpy
import sys
from pathlib import Path

import harness


def main():
    [package] = sys.argv[1:]
    # By its path, since many are named like the module that they import.
    case = Path(__file__).parent / "cases" / f"{package.replace('-', '_')}.py"
    return harness.main(package, runpy.run_path(str(case))["run"])


if __name__ == "__main__":
    sys.exit(main())
