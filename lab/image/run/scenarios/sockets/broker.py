# A broker whose clients never read; it stops short of taking the node's last page.
import socket
import time
SO_SNDBUFFORCE = 32
kept = []
for _ in range(210):
    near, far = socket.socketpair()
    near.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, 2 << 20)
    near.setblocking(False)
    try:
        while True:
            near.send(b"x" * 2000)
    except BlockingIOError:
        pass
    kept.append((near, far))
time.sleep(600)
