#!/bin/sh
# Eight children of one cron job, one each 0.3 s: the whole storm is one process family.
for i in 1 2 3 4 5 6 7 8; do
    php /lab/jobs/hog.php "burst$i" 150 50 1 1 &
    sleep 0.3
done
wait
