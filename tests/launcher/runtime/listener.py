"""Receives a seccomp listener as an agent does, answers one call with an error, and lets all others
go on; prints the state that came with it.

listener.py SOCKET ERRNO
"""
import fcntl, json, struct, sys
from received import receive

RECEIVE, SEND, CONTINUE = 0xC0502100, 0xC0182101, 1
data, passed, connection = receive(sys.argv[1])
connection.settimeout(1)
try:
    while more := connection.recv(65536):
        data += more
except TimeoutError:
    pass
print(json.dumps({"state": json.loads(data), "descriptors": len(passed)}), flush=True)
answer = -int(sys.argv[2])
while True:
    call = bytearray(80)
    try:
        fcntl.ioctl(passed[0], RECEIVE, call)
    except OSError:
        break
    number, process = struct.unpack_from("QI", call)
    reply = struct.pack("QqiI", number, 0, answer, 0 if answer else CONTINUE)
    answer = 0
    try:
        fcntl.ioctl(passed[0], SEND, reply)
    except OSError:
        break
