"""Attacks a daemon: `run.py [--long] [--list] [NAME...]`, with the binary in SANDBOX_DAEMON.

Each attack starts a daemon of its own and raises where a promise of SECURITY.md or LIMITS.md is broken. The last line is
`N passed, N failed, N skipped`, and the exit code 1 if one failed.
"""

import pathlib
import re
import sys
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import connections  # noqa: F401 - importing registers the attacks
import death  # noqa: F401
import files  # noqa: F401
import held  # noqa: F401
import many  # noqa: F401
import memory  # noqa: F401
import planes  # noqa: F401
import programs  # noqa: F401
import sessions  # noqa: F401
import soak  # noqa: F401
from harness import ATTACKS, Run, Skip

SECURITY = pathlib.Path(__file__).parents[2] / "SECURITY.md"


def main(arguments):
    is_long = "--long" in arguments
    names = [name for name in arguments if not name.startswith("--")]
    if unknown := [name for name in names if name not in ATTACKS]:
        sys.exit(f"error: no attack {', '.join(unknown)}; there are {', '.join(ATTACKS)}")
    if "--list" in arguments:
        for name, (promise, _) in ATTACKS.items():
            print(f"{name}: {promise}")
        return 0
    check_page()
    tally = {"passed": 0, "failed": 0, "skipped": 0}
    for name in names or ATTACKS:
        tally[once(name, is_long)] += 1
    print(", ".join(f"{count} {result}" for result, count in tally.items()))
    return 1 if tally["failed"] else 0


def once(name, is_long):
    promise, function = ATTACKS[name]
    run = Run(is_long)
    started = time.monotonic()
    result, detail = "passed", ""
    try:
        function(run)
    except Skip as reason:
        result, detail = "skipped", f": {reason}"
    except Exception:  # noqa: BLE001 - any failure is this attack's, and the others still run
        result, detail = "failed", "\n" + traceback.format_exc()
    finally:
        run.close()
    figures = "".join(f" {key}={value}" for key, value in run.figures.items())
    print(f"{name}: {result} in {time.monotonic() - started:.1f} s{figures}{detail}", flush=True)
    if result == "failed":
        print(f"  broken: {promise}", flush=True)
    return result


def check_page():
    """Holds the table of promises in SECURITY.md against the attacks."""
    page = SECURITY.read_text()
    named = set(re.findall(r"^\|.*\| `(\w+)` \|$", page, re.MULTILINE))
    if named != set(ATTACKS):
        missing = ", ".join(sorted(set(ATTACKS) - named)) or "none"
        stale = ", ".join(sorted(named - set(ATTACKS))) or "none"
        sys.exit(f"error: SECURITY.md and the attacks differ: not in the page: {missing}; not an attack: {stale}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
