"""How long some imports take, in a process that has imported next to nothing before."""

import sys
import time
from importlib import import_module

if __name__ == "__main__":
    begun = time.perf_counter()
    for name in sys.argv[1:]:
        import_module(name)
    print([time.perf_counter() - begun])
