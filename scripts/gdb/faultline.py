"""gdb for Faultline: `source scripts/gdb/faultline.py`, then `help fl`.

Loads everything in scripts/gdb/fl/. Works over QEMU's gdb stub and over the kernel's own. Sourcing
it again loads a changed version.
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
if HERE not in sys.path:
    sys.path.insert(0, HERE)
sys.dont_write_bytecode = True
for name in [n for n in sys.modules if n == "fl" or n.startswith("fl.")]:
    del sys.modules[name]

import fl.printers
import fl.processes
import fl.memory
import fl.disks
import fl.fault
import fl.functions
import fl.check
import fl.user
import fl.unwind
import fl.console
