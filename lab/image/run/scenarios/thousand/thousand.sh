#!/bin/sh
# A thousand children, each of them gone again soon: what counts is how many are born.
touch /run/lab/jobs/thousand.started
sleep 6
i=0
while [ "$i" -lt 1000 ]; do
    sleep 0.3 &
    i=$((i + 1))
done
wait
touch /run/lab/jobs/thousand.finished
