#!/bin/sh
# series.sh STORM…: storms one after another in one life of the node, the shop put right between them. Their begins and
# ends stand in the kernel's log, where `cargo xtask labelled cut` finds them.
say() { echo "<5>lab: storm $1 $2" > /dev/kmsg; }
for storm; do
    hold=$(sed -n 's/^hold = //p' "/lab/scenarios/$storm/about")
    say "$storm" begins
    LAB_HOLD=$hold timeout $((hold + 15)) "/lab/scenarios/$storm/action" > /dev/null 2>&1
    say "$storm" ends
    systemctl reset-failed
    systemctl restart mariadb php8.2-fpm nginx cron ssh rsyslog
    mariadb shop -e 'SELECT SUM(LENGTH(v)) FROM t' > /dev/null
    sleep 5
done
