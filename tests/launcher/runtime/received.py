"""Descriptors that come to a socket, as engines and agents get them."""
import os, socket


def receive(path):
    """Listens at the path; what comes there first: the words, the descriptors, and the connection."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(path + ".new")
    server.listen(1)
    server.settimeout(20)
    # Whoever sees it can connect to it.
    os.rename(path + ".new", path)
    connection = server.accept()[0]
    words, files, *_ = socket.recv_fds(connection, 65536, 4)
    return words, files, connection
