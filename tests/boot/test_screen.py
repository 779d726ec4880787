"""The shell on the VGA screen, typed at through the emulated keyboard."""

import pytest

from machine import have_busybox

pytestmark = pytest.mark.skipif(not have_busybox(), reason="no i386 BusyBox could be fetched")


@pytest.fixture
def screen(iso):
    """The ISO at a prompt on an empty screen."""
    iso.await_screen(r"#$")
    iso.keyboard("clear\n")
    iso.await_screen(r"\A\S*#\n*\Z")
    return iso


def test_echoes_what_is_typed(screen):
    screen.keyboard("echo hello, world\n")
    screen.await_screen(r"^hello, world$")


def test_has_all_the_characters_of_a_us_keyboard(screen):
    line = r"""`1234567890-=[]\;',./~!@#$%^&*()_+{}|:"<>? aZ"""
    screen.keyboard("cat >/tmp/keys\n")
    screen.keyboard(line + "\n\x04")
    screen.await_screen(r"#$")
    assert screen.sh("cat /tmp/keys") == line + "\n"


def test_ctrl_c_and_ctrl_z(screen):
    screen.keyboard("sleep 1000\n")
    screen.press("ctrl", "z")
    screen.await_screen("Stopped")
    screen.keyboard("clear; fg\n")
    screen.await_screen("sleep 1000")
    screen.press("ctrl", "c")
    screen.await_screen(r"#$")
    screen.keyboard("echo $((6*7))\n")
    screen.await_screen("^42$")


def test_arrows_recall_history(screen):
    screen.keyboard("echo again\n")
    screen.await_screen("^again$")
    screen.keyboard("clear\n")
    screen.press("up")
    screen.press("up")
    screen.await_screen(r"# echo again$")
    screen.keyboard("\n")
    screen.await_screen("^again$")


def test_scrolls(screen):
    screen.keyboard("seq 100\n")
    screen.await_screen(r"^100\n\S*#")
    lines = [line for line in screen.screen() if line]
    assert lines[-3:-1] == ["99", "100"]
    assert len(lines) == 25


def test_shows_colours(screen):
    screen.keyboard(r"printf '\033[31mred\033[42mboth\033[0mplain\n'" + "\n")
    screen.await_screen("^redbothplain$")
    row = screen.screen().index("redbothplain")
    colours = screen.attributes()[row]
    assert colours[0] == 0x04
    assert colours[3] == 0x24
    assert colours[7] == 0x07


def test_moves_the_cursor_and_erases(screen):
    screen.keyboard(r"printf '\033[2J\033[5;10Hhere\033[7;1Hgone\033[1K\033[9;3Hend\n'" + "\n")
    screen.await_screen(r"^  end$")
    lines = screen.screen()
    assert lines[4] == " " * 9 + "here"
    assert lines[6] == ""


def test_vi_on_the_screen(screen):
    screen.keyboard("vi /tmp/screen\n")
    screen.await_screen(r"^~$")
    screen.keyboard("ithe quick\nbrown fox\x1b")
    screen.await_screen(r"\Athe quick\nbrown fox\n~(.*\n)*- /tmp/screen")
    screen.keyboard("ggOabove\x1b")
    screen.await_screen(r"\Aabove\nthe quick\nbrown fox\n~(.*\n)*- /tmp/screen")
    screen.keyboard(":wq\n")
    screen.await_screen(r"#$")
    assert screen.sh("cat /tmp/screen") == "above\nthe quick\nbrown fox\n"


def test_top_on_the_screen(screen):
    screen.keyboard("top\n")
    screen.await_screen(r"^Mem: ")
    screen.await_screen(r"\binit$")
    screen.keyboard("q")
    screen.await_screen(r"#$")


def test_less_on_the_screen(screen):
    screen.keyboard("seq 200 | less\n")
    screen.await_screen(r"\A1\n2\n")
    screen.keyboard(" ")
    screen.await_screen(r"\A25\n26\n")
    screen.keyboard("k")
    screen.await_screen(r"\A24\n25\n")
    screen.keyboard("q")
    screen.await_screen(r"#$")
