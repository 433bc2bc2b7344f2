"""Make a load, say so, wait for the word, send it."""

from __future__ import annotations

import importlib
import json
import sys
import time


def main(name, options):
    """Run one load."""
    send = importlib.import_module(f"bench.loads.{name}").make(json.loads(options))
    print("ready", flush=True)
    sys.stdin.readline()
    begun = time.perf_counter()
    told = send()
    print(json.dumps({"seconds": time.perf_counter() - begun, **told}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
