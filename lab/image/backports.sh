#!/bin/sh
# Runs once when Debian's packages have been unpacked to $1: puts the newest kernel of Debian's backports beside the
# stable one and gives both a name that does not change with their versions.
set -eu
cd "$1"
stable=$(basename boot/vmlinuz-*)
sed -n 's/ bookworm main/ bookworm-backports main/p' etc/apt/sources.list > etc/apt/sources.list.d/backports.list
chroot . apt-get update -q
DEBIAN_FRONTEND=noninteractive chroot . apt-get install -q -y --no-install-recommends -t bookworm-backports \
    linux-image-cloud-amd64
rm etc/apt/sources.list.d/backports.list
for kernel in boot/vmlinuz-*; do
    name=backports
    [ "$(basename "$kernel")" != "$stable" ] || name=stable
    version=${kernel#boot/vmlinuz-}
    ln -s "vmlinuz-$version" "boot/$name.vmlinuz"
    ln -s "initrd.img-$version" "boot/$name.initrd"
done
[ -e boot/backports.vmlinuz ] && [ -e boot/stable.vmlinuz ]
