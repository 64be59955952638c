"""Receives a terminal as an engine does, types into it, and prints what it shows.

terminal.py SOCKET [LINE]
"""
import fcntl, os, struct, sys, termios
from received import receive

_, passed, connection = receive(sys.argv[1])
print("descriptors", len(passed), flush=True)
master = passed[0]
rows, columns = struct.unpack("HHHH", fcntl.ioctl(master, termios.TIOCGWINSZ, b"\0" * 8))[:2]
print("size", rows, columns, flush=True)
if len(sys.argv) > 2:
    os.write(master, sys.argv[2].encode() + b"\n")
try:
    while shown := os.read(master, 4096):
        sys.stdout.write(shown.decode(errors="replace"))
        sys.stdout.flush()
except OSError:
    pass
