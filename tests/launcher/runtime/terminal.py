"""Receives a terminal as an engine does, types into it, and prints what it shows.

terminal.py SOCKET [LINE]
"""
import array, fcntl, os, socket, struct, sys, termios

server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen(1)
server.settimeout(20)
connection = server.accept()[0]
data, control, flags, address = connection.recvmsg(4096, socket.CMSG_SPACE(4 * 4))
passed = array.array("i")
for level, kind, content in control:
    if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
        passed.frombytes(content)
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
