# An empty file for each session that was ever begun, a million of them.
import os
import time
for number in range(1_000_000):
    os.mknod("/var/cache/sessions/sess_%d" % number)
time.sleep(600)
