"""Receives a descriptor of a process, and prints the words that came with it and the process.

pidfd.py SOCKET
"""
import sys
from received import receive

words, files, _ = receive(sys.argv[1])
lines = open(f"/proc/self/fdinfo/{files[0]}").read().splitlines()
print(words.decode(), *[line.split()[1] for line in lines if line.startswith("Pid:")])
