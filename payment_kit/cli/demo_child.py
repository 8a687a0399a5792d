"""`python -m payment_kit.cli.demo_child …`: the command line, as a child that does not outlive the demo.

The demo passes Ctrl-C and SIGTERM on; this covers a SIGKILL of the demo itself, where the kernel can tell (Linux).
"""

import ctypes
import os
import signal
import sys

from payment_kit.cli import main

PR_SET_PDEATHSIG = 1
PARENT = "PAYMENT_KIT_DEMO_PARENT"


def die_with_parent(parent: int) -> None:
    """Asks the kernel for SIGTERM when process `parent` ends; ends at once when it already has."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit(143)


if __name__ == "__main__":
    die_with_parent(int(os.environ[PARENT]))
    main()
