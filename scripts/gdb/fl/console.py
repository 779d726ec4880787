"""The machine's serial line on gdb's terminal, while the machine runs.

`make gdb` names the socket in FAULTLINE_CONSOLE. A thread copies: output at any time, what is typed
only while the machine runs, when gdb does not read the terminal.
"""

import os
import select
import socket
import sys
import threading

import gdb

running = False


def set_running(now):
    global running
    running = now


def copy(line):
    while True:
        sources = [line, sys.stdin] if running and os.isatty(0) else [line]
        ready = select.select(sources, [], [], 0.1)[0]
        if line in ready:
            data = line.recv(4096)
            if not data:
                return
            os.write(1, data.replace(b"\r", b""))
        if sys.stdin in ready and running:
            line.sendall(os.read(0, 1024))


def connect(path):
    line = socket.socket(socket.AF_UNIX)
    try:
        line.connect(path)
    except OSError as e:
        print(f"no serial line: {e}")
        return
    gdb.events.cont.connect(lambda e: set_running(True))
    gdb.events.stop.connect(lambda e: set_running(False))
    threading.Thread(target=copy, args=(line,), daemon=True).start()


if os.environ.get("FAULTLINE_CONSOLE"):
    connect(os.environ.pop("FAULTLINE_CONSOLE"))
