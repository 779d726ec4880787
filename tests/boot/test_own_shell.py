"""Our own sh, on this machine: scripts give what /bin/sh gives, and jobs obey the terminal. It is a
static i386 Linux program like any other, so this tests the C library as well."""

import os
import subprocess
import time

import pexpect
import pytest

from machine import BUILD, TOP

SH = BUILD + "/user/sh"
HERE = [TOP + "/scripts/run-i386", SH]

SCRIPTS = [
    'x=5; echo ${x:-3} ${y:-3} "${z:-q w}" $x$y "$x"',
    "echo 'a$b' \"\\$x\" a\\ b \"it's\" '\"'",
    'echo $(echo "a  b") "$(echo "a  b")" "a$(echo "b$(echo ")")")"',
    'false || echo or; true && echo and; ! true; echo $?; true || echo no && echo yes',
    'for i in a b c; do echo $i; done | cat; for i in; do echo never; done; echo $?',
    'if false; then echo a; elif true; then echo b; else echo c; fi',
    'if true; then if false; then echo x; else echo inner; fi; else echo outer; fi',
    'if false\nthen echo a\nelse\n  for x in 1 2\n  do echo $x; done\nfi',
    'n=0; while true; do n=x$n; if [ $n = xxx0 ]; then break; fi; echo $n; done; echo end',
    'for i in 1 2 3; do for j in a b; do if [ $j = b ]; then continue; fi; echo $i$j; done; '
    'if [ $i = 2 ]; then break; fi; done',
    'until [ "$n" = yyy ]; do n=${n}y; done; echo $n',
    'set -- a "b c" d; echo $#; for i in "$@"; do echo "<$i>"; done; shift; echo "$1"',
    'a="x y"; for i in $a; do echo [$i]; done; for i in "$a"; do echo [$i]; done',
    '(cd /; pwd; exit 3); echo $?; { echo a; echo b; } > f; cat < f; echo c >> f; wc -l < f',
    'echo err 2>/dev/null >&2; ls /nonexistent 2>/dev/null; echo $?',
    'touch b.x a.x c.y; echo *.x [bc].* "*" nothing*; echo *; ls ./*.y',
    'A=b env | grep ^A=; A=1; echo $A; export A; env | grep ^A=; unset A; echo "[$A]"',
    'printf "one two three\\nfour\\n" | while read a b; do echo "<$a|$b>"; done; echo $a',
    'false; echo $?; x=$(false); echo $?; y=2; echo $?; nosuch 2>/dev/null; echo $?',
    'sleep 0.1 & wait; echo done; sleep 5 & kill $!; wait $!; echo $?',
    'true | false; echo $?; false | true; echo $?; exit 7',
    'test -d / && echo d; [ ! -f / ] && echo nf; [ 2 -lt 10 ] && echo lt; [ -z "" ] && echo z',
    'echo "echo sourced \\$1" > s; . ./s; chmod +x s; ./s arg 2>&1',
    'echo a # comment\n# more\necho "#no" a#b',
    'echo a | cat | cat | cat; { echo x; } | cat; if true; then echo y; fi | cat',
    'exec 3>f; echo three >&3; exec 3>&-; cat f',
]


@pytest.mark.parametrize("script", SCRIPTS)
def test_script_does_what_it_does_elsewhere(script, tmp_path):
    def result(shell):
        where = tmp_path / shell[-1].replace("/", "_")
        where.mkdir()
        p = subprocess.run([*shell, "-c", script], cwd=where, stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, timeout=20)
        return p.returncode, p.stdout.decode()

    assert result(HERE) == result(["/bin/sh"])


@pytest.mark.parametrize("script", ["if; then", "echo a |", 'echo "open', "done", "(echo", "a && ;"])
def test_bad_syntax_is_refused(script):
    p = subprocess.run([*HERE, "-c", script], stdin=subprocess.DEVNULL, capture_output=True, timeout=20)
    assert p.returncode == 2 and b"syntax error" in p.stderr


@pytest.fixture
def terminal():
    t = pexpect.spawn(HERE[0], HERE[1:], encoding="latin-1", timeout=20)
    t.expect("[#$] ")
    yield t
    t.close(force=True)


def await_foreground(t, name):
    """Waits until a program of that name has the terminal: before, ^C and ^Z are the shell's."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            with open(f"/proc/{os.tcgetpgrp(t.child_fd)}/comm") as f:
                if f.read().strip() == name:
                    return
        except OSError:
            pass
        time.sleep(0.01)
    raise AssertionError(f"{name} does not get the terminal")


def run(t, line, answer):
    t.sendline(line)
    t.expect(answer)
    t.expect("[#$] ")


def test_stops_and_continues_jobs(terminal):
    terminal.sendline("sleep 100")
    await_foreground(terminal, "sleep")
    terminal.send("\x1a")
    terminal.expect(r"\[1\] +Stopped +sleep 100")
    run(terminal, "bg", r"\[1\] \d+")
    run(terminal, "jobs", r"\[1\] +Running +sleep 100")
    terminal.sendline("fg")
    await_foreground(terminal, "sleep")
    terminal.send("\x03")
    run(terminal, "echo $?", "\n130")


def test_interrupt_gives_a_new_line(terminal):
    terminal.send("garbage\x03")
    run(terminal, "echo still here", "\nstill here")
    terminal.sendline("for i in 1")
    terminal.expect("> ")
    terminal.send("\x03")
    run(terminal, "echo here too", "\nhere too")


def test_end_of_file_leaves(terminal):
    terminal.send("\x04")
    terminal.expect(pexpect.EOF)
