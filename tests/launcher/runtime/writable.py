"""Tries to write to what a process executes, or to keep it busy, as root on the host: by changing the mount
that it is executed through, from the host's mount namespace and from the process's own, while it is, and
when it has ended.

    writable.py PROCESS
"""

import ctypes
import errno
import mmap
import os
import select
import signal
import sys
import time

libc = ctypes.CDLL(None, use_errno=True)
MOUNT_SETATTR, AT_EMPTY_PATH, RDONLY, OPEN_TREE, CLONE = 442, 0x1000, 1, 428, 1
MS_REMOUNT, MS_BIND, NEWNS = 0x20, 0x1000, 0x20000


def refused(name, answer, *allowed):
    if answer != -1 or ctypes.get_errno() not in allowed:
        print(f"escaped: {name}: {answer}, {os.strerror(ctypes.get_errno())}")


def tries(file):
    writable = (ctypes.c_uint64 * 4)(0, RDONLY, 0, 0)
    changed = libc.syscall(MOUNT_SETATTR, file, b"", AT_EMPTY_PATH, writable, 32)
    refused("mount_setattr", changed, errno.EINVAL)
    for program in file, f"/proc/self/fd/{file}":
        try:
            os.execve(program, ["x", "--version"], {})
        except (PermissionError, FileNotFoundError) as error:
            ctypes.set_errno(error.errno)
            refused("execve", -1, errno.EACCES, errno.ENOENT)
    try:
        mmap.mmap(file, 4096, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC)
        print("escaped: mmap")
    except PermissionError:
        pass
    refused("open_tree", libc.syscall(OPEN_TREE, file, b"", AT_EMPTY_PATH | CLONE), errno.EINVAL)


process = int(sys.argv[1])
file = os.open(f"/proc/{process}/exe", os.O_RDONLY)
name = f"/proc/self/fd/{file}".encode()
tries(file)
for flags in MS_REMOUNT, MS_REMOUNT | MS_BIND:
    refused("mount", libc.mount(None, name, None, flags, None), errno.EINVAL)
space = os.open(f"/proc/{process}/ns/mnt", os.O_RDONLY)
end = os.pidfd_open(process)
signal.pidfd_send_signal(end, signal.SIGKILL)
select.select([end], [], [])
# Others may execute the file, too, by its own name.
while (opened := libc.open(name, os.O_WRONLY)) == -1 and ctypes.get_errno() == errno.ETXTBSY:
    time.sleep(0.01)
refused("open", opened, errno.EROFS)
print("entered", libc.setns(space, NEWNS))
tries(file)
print("tried")
