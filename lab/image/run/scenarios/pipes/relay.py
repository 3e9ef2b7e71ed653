# A relay whose readers never come; it stops short of taking the node's last page.
import fcntl
import os
import time
SET_SIZE = 1031
line = b"x" * (1 << 20)
kept = []
for _ in range(900):
    reader, writer = os.pipe()
    fcntl.fcntl(writer, SET_SIZE, 1 << 20)
    os.write(writer, line)
    kept.append((reader, writer))
    time.sleep(0.02)
time.sleep(600)
