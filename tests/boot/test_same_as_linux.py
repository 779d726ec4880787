"""The same archive, command line and machine under Linux i386 and under Faultline: what is printed is
the same."""

import gzip

import pytest

from machine import BUSYBOX, KERNEL, LINUX, POWERED_OFF, have_busybox, have_linux, run_to_end
from newc import Archive

pytestmark = [
    pytest.mark.skipif(not have_busybox(), reason="no i386 BusyBox could be fetched"),
    pytest.mark.skipif(not have_linux(), reason="no Linux i386 kernel could be fetched"),
]

INIT = r"""#!/bin/sh
export PATH=/bin:/sbin:/usr/bin:/usr/sbin
mount -t proc proc /proc
mount -t tmpfs tmpfs /tmp
cd /tmp
echo "args: $*"
id
echo $0 $# $$ $PPID
uname -s -m
cat /proc/$$/cmdline | tr '\0' ' '; echo
awk '$6 {print $6}' /proc/self/maps | sort -u | grep -v -e vdso -e vvar
ls -la / | awk '{print $1, $3, $4, $NF}' | grep -v -e ' sys$' -e '^total'
stat -c '%n %F %a %h %s %t %T' /dev/null /dev/zero /bin/busybox /bin /tmp /bin/sh
for i in 1 2 3 4 5; do echo $i; done | sort -r | tr '\n' ' '; echo
seq 1000 | awk '{s += $1} END {print s}'
dd if=/dev/zero bs=64k count=32 2>/dev/null | md5sum
head -c 100000 /bin/busybox | sha1sum
(sleep 0.1; echo background) & wait
sh -c 'exit 7'; echo status $?
sh -c 'kill -TERM $$'; echo status $?
sh -c 'kill -SEGV $$' 2>/dev/null; echo status $?
cat /no/such 2>&1
mkdir d; cd d; touch a b c; ln -s a l; ln b hard; ls -l | awk '{print $1, $2, $NF}'; cd ..
mv d e; find e | sort; rm -r e
echo hello >f; cat f f >g; mv g f; wc -c <f; truncate -s 10000 f; stat -c %s f; md5sum <f
trap 'echo got usr1' USR1; kill -USR1 $$; trap - USR1
mkfifo p; (echo through a fifo >p) & cat p; wait
timeout 1 sleep 10; echo status $?
ulimit -n; ulimit -s
umask; umask 077; touch g; stat -c %a g
tar cf x.tar f g; tar tvf x.tar | awk '{print $1, $2, $3, $NF}'
gzip -c f | gunzip | cmp - f && echo same
echo 'int main' | sed 's/main/sub/' | tr a-z A-Z
expr 6 \* 7; printf '%05d|%-6s|%x\n' 42 ab 255
date -u -d @86400 +%Y-%m-%d
[ -c /dev/null ] && [ ! -b /dev/null ] && echo character
test -t 0 && echo terminal; tty
env | sort
set -o pipefail; false | true; echo $?
free | wc -l; ps | grep -c '\[*init'
mount | grep -e ' /proc ' -e ' /tmp ' | awk '{print $3, $5}'
poweroff -f
"""


@pytest.fixture(scope="module")
def archive():
    ar = Archive()
    for d in ("proc", "sys", "root", "mnt"):
        ar.dir(d)
    ar.dir("tmp", 0o1777)
    ar.devices()
    ar.busybox(BUSYBOX)
    ar.file("init", INIT, 0o755)
    return gzip.compress(ar.bytes(), mtime=0)


def test_prints_the_same(archive):
    append = "console=ttyS0 quiet loglevel=1 panic=-1 norandmaps -- one two"
    ours, status = run_to_end(archive, append, KERNEL)
    assert status == POWERED_OFF
    linux, _ = run_to_end(archive, append, LINUX, mem=256)
    # Linux's own messages have a time stamp in brackets.
    theirs = [line for line in linux.splitlines() if line and not line.startswith("[ ")]
    assert [line for line in ours.splitlines() if line] == theirs
