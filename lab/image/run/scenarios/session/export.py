# An export that keeps every row it has seen.
import time
rows = []
while True:
    rows.append(b"x" * (4 << 20))
    time.sleep(0.03)
