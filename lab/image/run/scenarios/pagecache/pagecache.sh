#!/bin/sh
# A backup: writes a file larger than memory and reads it, so that the page cache wants all there is.
touch /run/lab/jobs/pagecache.started
dd if=/dev/zero of=/var/tmp/backup bs=1M count=1600 status=none
cat /var/tmp/backup > /dev/null
rm -f /var/tmp/backup
touch /run/lab/jobs/pagecache.finished
