"""How long an import takes, in a process that has imported next to nothing before."""

import sys
import time
from importlib import import_module

if __name__ == "__main__":
    begun = time.perf_counter()
    import_module(sys.argv[1])
    print([time.perf_counter() - begun])
