"""What a person does first: the commands of the README, typed at a terminal in a fresh clone whose path
has a space, as a user who is not root. Then what goes wrong on a terminal: ^C in the middle, standard
input closed, packages missing.

One clone serves all tests here; the first one builds it.
"""

import json
import os
import re
import shutil
import subprocess
import tempfile
import time

import pexpect
import pytest

from machine import CACHE, ISO, LIMIT, TOP, Machine

NOBODY = 65534
BUILD_LIMIT = 10 * LIMIT


def git(*args):
    return subprocess.run(["git", "-C", TOP, *args], capture_output=True, text=True)


def as_it_stands(clone):
    """A clone of HEAD, made the same as the working tree."""
    subprocess.run(["git", "clone", "-q", TOP, clone], check=True)
    for path in git("ls-files", "-z", "--cached", "--others", "--exclude-standard").stdout.split("\0"):
        here, there = os.path.join(TOP, path), os.path.join(clone, path)
        if os.path.isfile(here):
            os.makedirs(os.path.dirname(there), exist_ok=True)
            shutil.copy2(here, there)
        elif path and os.path.exists(there):
            os.unlink(there)


@pytest.fixture(scope="module")
def clone():
    """A fresh clone; what was fetched is copied to spare the network. It belongs to a user who is not root."""
    if git("rev-parse", "HEAD").returncode:
        pytest.skip("this tree is no git repository")
    top = tempfile.mkdtemp(prefix="faultline-")
    path = top + "/a b/faultline"
    os.mkdir(top + "/tmp")
    as_it_stands(path)
    if os.path.isdir(CACHE):
        shutil.copytree(os.path.dirname(CACHE), path + "/build/cache")
    if os.getuid() == 0:
        os.chmod(top, 0o755)
        subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", top], check=True)
    yield path
    shutil.rmtree(top)


class Person:
    """Somebody at a terminal, in the clone."""

    PROMPT = "ready> "

    def __init__(self, clone):
        self.clone = clone
        self.tmp = os.path.join(clone, "../../tmp")
        env = {"PATH": os.environ["PATH"], "PS1": self.PROMPT, "HOME": self.tmp, "TMPDIR": self.tmp, "TERM": "vt100",
               "CCACHE_DISABLE": "1"}
        user = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        command = (user if os.getuid() == 0 else []) + ["sh", "-i"]
        self.line = pexpect.spawn(command[0], command[1:], cwd=clone, env=env, timeout=LIMIT,
                                  encoding="latin-1", dimensions=(50, 200))
        self.line.expect_exact(self.PROMPT)
        self.settings = self.run("stty -a")

    def types(self, text):
        self.line.send(text)

    def sees(self, pattern, limit=LIMIT):
        self.line.expect(pattern, timeout=limit)
        return self.line.match

    def run(self, command, limit=LIMIT):
        """Types a command that ends by itself; returns what it said."""
        self.types(command + "\n")
        self.line.expect_exact(command.split("\n")[-1][-60:] + "\r\n")
        return self.gets_back(limit)

    def gets_back(self, limit=LIMIT):
        self.line.expect_exact(self.PROMPT, timeout=limit)
        return self.line.before.replace("\r", "")

    def status(self):
        return int(re.search(r"status=(\d+)", self.run("echo status=$?"))[1])

    def has_all_as_before(self):
        """The terminal is as it was, nothing runs on, nothing lies about."""
        assert self.run("stty -a") == self.settings
        assert processes_in(self.clone) == ["sh"]
        assert os.listdir(self.tmp) == []

    def close(self):
        self.line.close(force=True)


def processes_in(folder):
    """The names of the processes that work in a folder."""
    names = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.path.realpath(f"/proc/{pid}/cwd").startswith(os.path.realpath(folder)):
                with open(f"/proc/{pid}/comm") as f:
                    names.append(f.read().strip())
        except OSError:
            pass
    return sorted(names)


def nothing_is_left(clone):
    """Whoever lost its terminal is gone, or goes."""
    end = time.monotonic() + LIMIT
    while processes_in(clone):
        assert time.monotonic() < end, processes_in(clone)
        time.sleep(0.1)


@pytest.fixture
def person(clone):
    p = Person(clone)
    yield p
    p.close()


@pytest.fixture
def built(clone, person):
    """For a test that is run alone; else the first one has built it."""
    if not os.path.exists(clone + "/build/faultline.iso"):
        person.run("make build/faultline.iso", BUILD_LIMIT)


def boots(person, command="make run"):
    person.types(command + "\n")
    failed = person.line.expect(["Faultline starts on this terminal", "\n" + Person.PROMPT], timeout=BUILD_LIMIT)
    assert not failed, person.line.before[-3000:]
    person.sees(Machine.PROMPT)


def test_make_run_in_a_fresh_clone_comes_to_a_prompt_that_answers(person):
    boots(person)
    person.types("echo $((6*7))\n")
    person.sees("\n42\r")
    person.sees(Machine.PROMPT)
    person.types("poweroff\n")
    person.gets_back()
    assert person.status() == 0
    person.has_all_as_before()


def test_the_image_is_the_same_wherever_it_is_built(clone, built):
    """What `make release` hands on can be built again, and compared. Here: in the clone and in this tree."""
    if subprocess.run(["make", "-q", ISO[len(TOP) + 1:]], cwd=TOP, capture_output=True).returncode:
        pytest.skip("the image of this tree is not of its sources")
    with open(ISO, "rb") as here, open(clone + "/build/faultline.iso", "rb") as there:
        assert here.read() == there.read()


def test_control_c_goes_to_the_machine_and_control_a_x_leaves(person, built):
    boots(person)
    person.types("sh -c 'echo slee\"\"ping; exec sleep 1000'\n")
    person.sees("sleeping")
    person.types("\x03")
    person.sees(Machine.PROMPT)
    person.types("\x01x")
    person.gets_back()
    person.has_all_as_before()


def test_a_machine_ends_with_its_terminal(clone, person, built):
    boots(person)
    person.close()
    nothing_is_left(clone)


@pytest.mark.skipif(not shutil.which("gdb"), reason="no gdb")
def test_gdb_and_its_machine_end_with_their_terminal(clone, person, built):
    person.types("scripts/debug gdb build/faultline.elf build/initrd.cpio\n")
    person.sees(r"\(gdb\) ")
    assert {"gdb", "qemu-system-i38"} <= set(processes_in(clone))
    person.close()
    nothing_is_left(clone)


# ---- ^C in the middle

# A tool that has written half of what it was told to, and takes for ever over the rest.
STUCK = """#!/bin/sh
while [ $# -gt 0 ]; do
    [ "$1" != -o ] || echo half >"$2"
    shift
done
echo "stuck in $(basename "$0")" >/dev/tty
exec sleep 1000
"""

INTERRUPTED = {
    # tool that gets stuck: (what has changed, what is made of it)
    "gcc": ("mm/fault.c", "build/mm/fault.o"),
    "nasm": ("arch/i386/entry.asm", "build/arch/i386/entry.asm.o"),
    "nm": ("boot/linker.ld", "build/faultline.elf"),
    "ar": ("libc/string.c", "build/user/libc.a"),
    "objcopy": ("iso/root", "build/initrd.cpio"),
    "xorriso": ("iso/grub.cfg", "build/faultline.iso"),
    "apt-get": ("scripts/fetch-i386", "build/cache/i386/busybox.stamp"),
}


def shims(clone, name, tools):
    folder = os.path.join(clone, "../..", name)
    os.makedirs(folder, exist_ok=True)
    for tool, text in tools.items():
        with open(f"{folder}/{tool}", "w") as f:
            f.write(text)
        os.chmod(f"{folder}/{tool}", 0o755)
    return folder


@pytest.mark.parametrize("tool", INTERRUPTED)
def test_what_was_interrupted_is_not_taken_for_whole(person, tool, built):
    changed, made = INTERRUPTED[tool]
    path = shims(person.clone, "stuck-" + tool, {tool: STUCK})
    if tool == "apt-get":
        person.run("mv build/cache/i386/busybox ../../busybox")
    person.run(f"find {changed} -type f | head -n 1 | xargs touch")
    person.types(f"PATH='{path}':$PATH make {made}\n")
    person.sees("stuck in " + tool)
    person.types("\x03")
    person.gets_back()
    assert person.status() != 0
    person.has_all_as_before()
    person.run(f"make -q {made}")
    assert person.status() == 1
    assert not person.run("find build -newer ../../stuck-*/" + tool + " -name '*.part' -o -name 'tmp.*'")
    if tool == "apt-get":
        person.run("mv ../../busybox build/cache/i386/busybox; make build/cache/i386/busybox.stamp")
        assert person.status() == 0


# ---- Standard input closed

CLOSED = {
    # command: (status, what it says)
    "make help": (0, "make run"),
    "scripts/deps": (0, ""),
    "touch boot/linker.ld; make build/faultline.elf": (0, "LINK"),
    "touch iso/grub.cfg; make build/faultline.iso": (0, "ISO"),
    "scripts/usb --file iso/grub.cfg build/initrd.cpio": (1, "nothing was written"),
    "scripts/crash -": (1, ""),
}


@pytest.mark.parametrize("command", CLOSED)
def test_does_without_standard_input(person, command, built):
    status, says = CLOSED[command]
    said = person.run(command + " <&-", BUILD_LIMIT)
    assert person.status() == status, said
    assert says in said and "Traceback" not in said
    person.has_all_as_before()


def test_a_machine_runs_without_standard_input(person, built):
    boots(person, "make run <&-")
    person.types("\x03")
    person.gets_back()
    person.has_all_as_before()


# ---- Packages

def only(clone, name, *tools, **more):
    """A PATH with some ordinary tools and nothing else, but for stand-ins."""
    folder = shims(clone, name, more)
    for tool in ("sh", "dirname", "uname", "grep", "mkdir", "touch", *tools):
        if not os.path.lexists(f"{folder}/{tool}"):
            os.symlink(shutil.which(tool), f"{folder}/{tool}")
    return folder


STAND_INS = {"id": "#!/bin/sh\necho 1000\n", "apt-get": '#!/bin/sh\necho apt-get "$@"\n'}


def test_somebody_who_may_not_install_is_told_what_to_install(person):
    path = only(person.clone, "no-root", **STAND_INS)
    said = person.run(f"PATH='{path}' scripts/deps")
    assert re.search(r"as root: apt-get install .*\bnasm\b.*\bqemu-system-x86\b", said), said
    person.run(f"PATH='{path}' scripts/deps")
    assert person.status() == 1


def test_where_there_is_no_apt_the_packages_are_named(person):
    path = only(person.clone, "no-apt")
    assert re.search(r"please install them: .*\bnasm\b", person.run(f"PATH='{path}' scripts/deps"))
    person.run(f"PATH='{path}' scripts/deps")
    assert person.status() == 1


def test_somebody_with_sudo_installs_by_it(person):
    path = only(person.clone, "sudo", **STAND_INS, sudo='#!/bin/sh\necho "by sudo: $*"\n')
    said = person.run(f"PATH='{path}' scripts/deps")
    assert re.search("by sudo: apt-get .*install .*nasm", said), said


def test_nobody_is_asked_for_a_password_for_what_is_only_wished_for(person):
    needed = re.findall(r"^([a-z][\w-]*):", open(TOP + "/scripts/deps").read(), re.M) + ["qemu-i386"]
    path = only(person.clone, "wishes", *(n for n in needed if n != "bochs" and shutil.which(n)), **STAND_INS,
                sudo='#!/bin/sh\necho "by sudo: $*"\n')
    person.run("rm -f build/cache/wishes")
    said = person.run(f"PATH='{path}' scripts/deps")
    assert "by sudo" not in said and re.search("Going on without:.* bochs", said), said
    assert person.run(f"PATH='{path}' scripts/deps") == "", "it is said once"


@pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="no dpkg")
def test_what_is_fetched_comes_to_a_path_with_a_space(person):
    """apt's stand-in has the package, and looks at what it was told."""
    root = person.tmp + "/root"
    os.makedirs(root + "/DEBIAN")
    os.makedirs(root + "/bin")
    with open(root + "/DEBIAN/control", "w") as f:
        f.write("Package: busybox-static\nVersion: 1\nArchitecture: i386\nMaintainer: nobody\nDescription: -\n")
    with open(root + "/bin/busybox", "w") as f:
        f.write("the real one\n")
    deb = os.path.join(person.clone, "../../busybox-static_1_i386.deb")
    subprocess.run(["dpkg-deb", "-b", root, deb], check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(root)
    path = shims(person.clone, "apt", {"apt-get": f"""#!/bin/sh
[ "$2" = -c ] && lists=$(sed -n 's/^Dir::State::Lists "\\(.*\\)";/\\1/p' "$3") && [ -d "$lists/partial" ] || exit 1
case $4 in download) cp '{deb}' . ;; esac
"""})
    person.run("mv build/cache/i386/busybox ../../busybox")
    said = person.run(f"PATH='{path}':$PATH scripts/fetch-i386 busybox")
    assert person.run("cat build/cache/i386/busybox") == "the real one\n", said
    person.run("mv ../../busybox build/cache/i386/busybox")
    person.has_all_as_before()


# ---- CONTRIBUTING.md

def follow(page, clone):
    """Does what its blocks of code say; returns the files."""
    done = []
    for path, block in re.findall(r"^```c (\S+)\n(.*?)^```$", page, re.S | re.M):
        target = os.path.join(clone, path)
        text = ""
        if os.path.exists(target):
            with open(target) as f:
                text = f.read()
        if block in text:  # an example that is in the tree
            done.append(path)
            continue
        lines = block.splitlines(keepends=True)
        places = [line for line in (lines[0], lines[-1]) if text.count(line) == 1]
        assert bool(places) == bool(text), f"{path} has no place for:\n{block}"
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "w") as f:
            f.write(text.replace(places[0], block) if places else block)
        os.chmod(target, 0o666)
        done.append(path)
    return done


def test_the_worked_examples_of_contributing_work(clone, person):
    with open(TOP + "/CONTRIBUTING.md") as f:
        done = follow(f.read(), clone)
    assert len(done) >= 6
    person.run("make kernel build/guest/ustat build/guest/init && tests/guest/run.py --build build ustat", BUILD_LIMIT)
    assert person.status() == 0
    boots(person)
    for command, answer in (("cat /proc/frames", r"\n\d+ \d+\r"), ("frames", r"\n\d+ of \d+ frames are free"),
                            ("echo 7 >/dev/post && echo sho''wn", "shown")):
        person.types(command + "\n")
        person.sees(answer)
        person.sees(Machine.PROMPT)
    person.types("\x01x")
    person.gets_back()


def test_compile_commands_name_every_source(clone, person):
    person.run("make compile_commands.json")
    with open(clone + "/compile_commands.json") as f:
        commands = json.load(f)
    files = {c["file"] for c in commands}
    assert {"mm/fault.c", "libc/printf.c", "user/sh/main.c", "tests/guest/heap.c", "tests/host/test_space.c"} <= files
    for c in commands[:: len(commands) // 8]:
        c["arguments"].remove("-c")
        subprocess.run([*c["arguments"], "-fsyntax-only"], cwd=c["directory"], check=True)
