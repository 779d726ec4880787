"""scripts/usb: refuses, asks, writes, verifies. On a file: the disks of this machine are nobody's toy."""

import subprocess

import pexpect

from machine import LIMIT, TOP


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
