"""The command line. Threads of torch sleep while they wait for each other; see `fit/threads.py`."""

import os
import sys

if "OMP_WAIT_POLICY" not in os.environ:
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    if "torch" in sys.modules and os.name == "posix":  # it has read the variable already: start again
        os.execv(sys.executable, sys.orig_argv)

from .cli import main

main()
