#!/bin/sh
# A classic, slowed so that the emulated core is left some time: each shell starts two more and stays.
touch /run/lab/jobs/forkbomb.started
"$0" &
sleep 0.2
"$0" &
exec php -r '$held = str_repeat("x", 2 << 20); sleep(120);'
