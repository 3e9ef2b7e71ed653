#!/bin/sh
# Runs once in the node's root file system (chroot, on the host's own CPU) after the files of disk/ were copied over it.
set -eu
passwd -q -d root
useradd -m -u 1000 -s /bin/bash app
rm -f /etc/nginx/sites-enabled/default

# Every peer is off until the director starts the one that the run asks for, and so is what only some runs need.
for unit in earlyoom nohang nohang-desktop systemd-oomd oomd redis-server; do
    systemctl disable -q "$unit.service" 2>/dev/null || true
done
# Housekeeping of the distribution's own would be noise in a five-minute life.
systemctl mask -q apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer \
    e2scrub_reap.service fstrim.timer logrotate.timer man-db.timer phpsessionclean.timer \
    systemd-tmpfiles-clean.timer
systemctl enable -q lab.service

# The database is filled here rather than in a first boot: the host's CPU is fifty times the emulated one.
install -d -o mysql -g mysql /run/mysqld
mariadbd --user=mysql --bootstrap < /fill.sql
rm -f /fill.sql /setup.sh

# The kernels' modules of this one machine only: a small initrd is read by an emulated CPU in a moment.
update-initramfs -u -k all
