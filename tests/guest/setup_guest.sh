#!/bin/sh
# Fetches and unpacks (never installs) what run_in_guest.py needs: QEMU, a static busybox, and the
# bookworm-backports kernel, whose virtual camera vivid offers 640x480 and 1920x1080 at 30 frames/s
# (that of bookworm itself stops at 25 and 5). About 150 MB of packages, 250 MB unpacked; needs apt
# on Debian bookworm, and python3.
#
#     setup_guest.sh DIR        DIR receives q/ (QEMU, busybox) and k/ (kernel)
set -eu
mkdir -p "$1"
cd "$1"
here=$PWD
[ -e k/vmlinux ] && exit 0
apt-get -q update >/dev/null
rm -rf q k
mkdir -p debs apt/lists/partial apt/cache/archives/partial
debian=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME)' 'Created-By: Packages' |
    awk '$2 == "bookworm" {print $1; exit}')
[ -n "$debian" ] || { echo "apt knows no Debian bookworm" >&2; exit 1; }
keys=/usr/share/keyrings/debian-archive-keyring.gpg
echo "deb [signed-by=$keys] $debian bookworm-backports main" > apt/list
backports="-o Dir::Etc::sourcelist=$here/apt/list -o Dir::Etc::sourceparts=-
    -o Dir::State::lists=$here/apt/lists -o Dir::Cache=$here/apt/cache"
# shellcheck disable=SC2086 # the options are words
apt-get $backports -q update
# shellcheck disable=SC2086
kernel=$(apt-cache $backports depends linux-image-amd64 | awk '/Depends:/ {print $2; exit}')
# What is installed already is unpacked again all the same: only these folders are used.
qemu=$(apt-get install -s --no-install-recommends qemu-system-x86 busybox-static |
    awk '/^Inst/ {print $2}')
cd debs
# shellcheck disable=SC2086
apt-get $backports -q download "$kernel"
# shellcheck disable=SC2086
apt-get -q download qemu-system-x86 qemu-system-common qemu-system-data seabios busybox-static \
    zstd $qemu
cd ..
for deb in debs/*.deb; do
    case $deb in debs/linux-image-*) dpkg -x "$deb" k ;; *) dpkg -x "$deb" q ;; esac
done
# The kernel uncompressed, for a PVH boot: emulation would spend seconds on unpacking it.
python3 - <<'PYTHON'
import glob
import subprocess
from pathlib import Path

image = Path(glob.glob("k/boot/vmlinuz-*")[0]).read_bytes()
packed = image[image.index(bytes.fromhex("28b52ffd")) :]
# zstd complains of what follows the kernel in the file, after it has unpacked it.
kernel = subprocess.run(["q/usr/bin/zstd", "-dcq"], input=packed, capture_output=True).stdout
assert kernel[:4] == b"\x7fELF", "the kernel cannot be unpacked"
Path("k/vmlinux.new").write_bytes(kernel)
PYTHON
mv k/vmlinux.new k/vmlinux
rm -rf debs
