"""Programs that are to end with us, however we end: the kernel sees to it, where it can."""

from __future__ import annotations

import os
import shutil
import sys

# Run by the child itself before it becomes the program: what `preexec_fn` would do beside threads
# may hang. The parent whose end counts is the thread that spawned, so that has to be the loop's.
_BINDS = """
import os, signal, sys
try:
    import ctypes
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
except Exception:
    pass  # a unit may forbid what ctypes needs: then it ends when it next writes
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
if os.getppid() == int(sys.argv[1]):  # else it was too late to ask
    os.execvp(sys.argv[2], sys.argv[2:])
"""


def bound_to_us(program: str) -> tuple[str, ...]:
    """How to start it, on the thread that lives as long as we do; its arguments go behind.

    Raises FileNotFoundError where there is no such program. Elsewhere than on Linux it is merely
    started, and ends when it next writes.
    """
    if shutil.which(program) is None:
        raise FileNotFoundError(program)
    if sys.platform != "linux":
        return (program,)
    return sys.executable, "-I", "-S", "-c", _BINDS, str(os.getpid()), program
