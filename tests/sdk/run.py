"""Runs the suites, and tells each test's result to the file that SANDBOX_TEST_REPORT names, a line of JSON each."""

import json
import os
import sys
import time
import unittest
from pathlib import Path

import harness


class Reported(unittest.TextTestResult):
    """Also writes the report."""

    def startTest(self, test):
        self._begun = time.monotonic()
        self._failed = False
        super().startTest(test)

    def addError(self, test, error):
        self._failed = True
        super().addError(test, error)

    def addFailure(self, test, error):
        self._failed = True
        super().addFailure(test, error)

    def addSubTest(self, test, subtest, error):
        self._failed = self._failed or error is not None
        super().addSubTest(test, subtest, error)

    def addSkip(self, test, reason):
        report(test, "absent", reason, 0)
        super().addSkip(test, reason)
        self._failed = None

    def stopTest(self, test):
        if self._failed is not None:
            seconds = time.monotonic() - self._begun
            report(test, "failed" if self._failed else "passed", None, seconds)
        super().stopTest(test)


def report(test, result, reason, seconds):
    path = os.environ.get("SANDBOX_TEST_REPORT")
    if not path or not isinstance(test, harness.Case):
        return
    name = test._testMethodName
    for method in getattr(getattr(test, name), "methods", None) or [test.area]:
        line = {
            "sdk": f"python daytona {harness.VERSION}",
            "area": test.area,
            "method": method,
            "case": name.removeprefix("test_").replace("_", " ") + ("" if test.manner == "sync" else f" ({test.manner})"),
            "result": result,
            "seconds": round(seconds, 2),
        }
        if reason:
            line["reason"] = reason.removeprefix("absent: ")
        # At once, since several processes may write to it.
        with open(path, "a") as file:
            file.write(json.dumps(line) + "\n")


def main():
    here = str(Path(__file__).parent)
    names = sys.argv[1:]
    loader = unittest.defaultTestLoader
    suite = loader.loadTestsFromNames(names) if names else loader.discover(here)
    outcome = unittest.TextTestRunner(resultclass=Reported, verbosity=2).run(suite)
    harness.place().close()
    return 0 if outcome.wasSuccessful() and outcome.testsRun else 1


if __name__ == "__main__":
    sys.exit(main())
