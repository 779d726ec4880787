"""scripts/usb: refuses, asks, writes, verifies. On a file: the disks of this machine are nobody's toy."""

import subprocess

import pexpect

from machine import ISO, LIMIT, POWERED_OFF, TOP, Machine


def usb(tmp_path, *options, answer="", size=4 << 20, image=b"image" * 300000, device=None):
    stick, iso = tmp_path / "stick", tmp_path / "iso"
    stick.write_bytes(bytes(size))
    iso.write_bytes(image)
    p = subprocess.run([TOP + "/scripts/usb", str(iso), str(device or stick), *options],
                       input=answer, capture_output=True, text=True)
    return p, stick.read_bytes(), image


def test_writes_and_verifies_when_told_yes(tmp_path):
    p, stick, image = usb(tmp_path, "--file", answer="yes\n")
    assert p.returncode == 0, p.stderr
    assert stick[:len(image)] == image and len(stick) == 4 << 20
    assert "4.2 MB" in p.stdout and "checking 100 %" in p.stdout


def test_writes_nothing_without_a_yes(tmp_path):
    for answer in ("", "y\n", "no\n"):
        p, stick, _ = usb(tmp_path, "--file", answer=answer)
        assert p.returncode != 0 and not any(stick)


def test_refuses_what_is_no_disk(tmp_path):
    p, stick, _ = usb(tmp_path, answer="yes\n")
    assert "no disk" in p.stderr and not any(stick)
    p, _, _ = usb(tmp_path, answer="yes\n", device="/dev/null")
    assert "no disk" in p.stderr


def test_refuses_what_is_too_small(tmp_path):
    p, stick, _ = usb(tmp_path, "--file", answer="yes\n", size=1 << 20)
    assert "too small" in p.stderr and not any(stick)


def test_refuses_a_device_that_is_not_there(tmp_path):
    p, _, _ = usb(tmp_path, "--file", answer="yes\n", device=tmp_path / "none")
    assert p.returncode != 0 and "Traceback" not in p.stderr


def test_control_c_at_the_question_writes_nothing(tmp_path):
    stick, iso = tmp_path / "a stick", tmp_path / "iso"
    stick.write_bytes(bytes(4 << 20))
    iso.write_bytes(b"image" * 300000)
    p = pexpect.spawn(TOP + "/scripts/usb", [str(iso), str(stick), "--file"], encoding="latin-1", timeout=LIMIT)
    p.expect("Type yes to go on: ")
    p.sendintr()
    p.expect("nothing was written")
    p.expect(pexpect.EOF)
    p.close()
    assert p.exitstatus == 1 and not any(stick.read_bytes())


def test_the_rest_of_the_stick_becomes_partitions_on_request(tmp_path):
    stick = tmp_path / "stick"
    with open(stick, "wb") as f:
        f.truncate(96 << 20)
    p = subprocess.run([TOP + "/scripts/usb", ISO, str(stick), "--file", "--partitions", "16"], input="yes\n",
                       capture_output=True, text=True)
    assert p.returncode == 0 and "swap: 16 MiB" in p.stdout, p.stdout + p.stderr
    table = subprocess.run(["/usr/sbin/sfdisk", "-l", "-o", "Device,Size,Type", str(stick)], capture_output=True, text=True)
    rows = [line.split(None, 2) for line in table.stdout.splitlines() if line.startswith(str(stick))]
    assert rows[-2][1:] == ["16M", "Linux swap"] and rows[-1][2] == "Linux filesystem", table.stdout
    assert "corrupt" not in table.stderr, table.stderr
    swap, files = (f"/dev/vda{row[0][len(str(stick)):]}" for row in rows[-2:])
    with Machine("-drive", f"file={stick},format=raw,if=virtio") as m:  # by the BIOS, from the stick itself
        m.prompt()
        m.sh(f"swapon {swap}; mount -t ext2 {files} /mnt; cp /bin/busybox /mnt")
        assert f"{swap} " in m.sh("cat /proc/swaps") and m.sh("cmp /bin/busybox /mnt/busybox; echo $?") == "0\n"
        m.type("poweroff\n")
        assert m.wait() == POWERED_OFF
    start = subprocess.run(["/usr/sbin/sfdisk", "-d", str(stick)], capture_output=True, text=True).stdout
    offset = int(start.strip().splitlines()[-1].split("start=")[1].split(",")[0]) * 512
    subprocess.run(["/usr/sbin/e2fsck", "-f", "-n", f"{stick}?offset={offset}"], check=True, capture_output=True)


def test_a_stick_without_room_for_partitions_says_so(tmp_path):
    p, _, _ = usb(tmp_path, "--file", "--partitions", answer="yes\n")
    assert p.returncode != 0 and "too small for partitions" in p.stderr
