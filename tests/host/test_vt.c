/*
 * The terminal emulator on the host: escape sequences go in, the painted screen is compared. The
 * painter keeps a screen of its own, so a cell that changed without being painted is found as well.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "drivers/input/keyboard.h"
#include "drivers/input/layouts.h"
#include "drivers/video/vt.h"

#define ROWS 6
#define COLS 20

/* The C library has none. */
void memset32(uint32_t *dst, uint32_t value, size_t words)
{
    while (words--)
        *dst++ = value;
}

static struct vt vt;
static vt_cell_t cells[ROWS * COLS];
static vt_cell_t shown[ROWS][COLS];
static unsigned cursor_row, cursor_col;
static bool cursor_visible;
static int failures;
static const char *test;

static void draw(void *ctx, unsigned row, unsigned col, const vt_cell_t *c, unsigned n)
{
    (void)ctx;
    if (row >= ROWS || col + n > COLS)
        abort();
    memcpy(&shown[row][col], c, n * sizeof(*c));
}

static void cursor(void *ctx, unsigned row, unsigned col, bool visible)
{
    (void)ctx;
    if (row >= ROWS || col >= COLS)
        abort();
    cursor_row = row;
    cursor_col = col;
    cursor_visible = visible;
}

static const struct vt_painter painter = {.draw = draw, .cursor = cursor};

static void begin(const char *name)
{
    test = name;
    vt_init(&vt, cells, ROWS, COLS);
    vt_set_painter(&vt, &painter, NULL);
}

static void feed(const char *s)
{
    vt_write(&vt, s, strlen(s));
    vt_paint(&vt);
}

static void fail(const char *what, const char *got, const char *want)
{
    printf("vt: %s: %s is \"%s\", not \"%s\"\n", test, what, got, want);
    failures++;
}

/* The row without the blanks at its end. */
static const char *row_text(unsigned row)
{
    static char text[COLS + 1];
    int n = COLS;

    for (int i = 0; i < COLS; i++)
        text[i] = (char)vt_to_cp437((uint16_t)shown[row][i]);
    while (n && text[n - 1] == ' ')
        n--;
    text[n] = '\0';
    return text;
}

static void row_is(unsigned row, const char *want)
{
    char what[16];

    snprintf(what, sizeof(what), "row %u", row);
    if (strcmp(row_text(row), want) != 0)
        fail(what, row_text(row), want);
}

static void at(unsigned row, unsigned col)
{
    char got[32], want[32];

    snprintf(got, sizeof(got), "%u,%u", cursor_row, cursor_col);
    snprintf(want, sizeof(want), "%u,%u", row, col);
    if (strcmp(got, want) != 0)
        fail("cursor", got, want);
}

static void attr_is(unsigned row, unsigned col, unsigned want_attr)
{
    char got[8], want[8];

    snprintf(got, sizeof(got), "%02x", VT_CELL_ATTR(shown[row][col]));
    snprintf(want, sizeof(want), "%02x", want_attr);
    if (strcmp(got, want) != 0)
        fail("attribute", got, want);
}

static void reply_is(const char *want)
{
    char got[VT_REPLY_MAX + 1];

    got[vt_take_reply(&vt, got, VT_REPLY_MAX)] = '\0';
    if (strcmp(got, want) != 0)
        fail("reply", got, want);
}

static void test_history(void)
{
    static vt_cell_t old[4][COLS];
    static vt_cell_t *lines[4] = {old[0], old[1], old[2], old[3]};

    begin("history");
    vt_set_history(&vt, lines, 4);
    feed("1\r\n2\r\n3\r\n4\r\n5\r\n6\r\n7\r\n8\r\n9");
    row_is(0, "4");
    vt_scroll_view(&vt, 2);
    row_is(0, "2");
    row_is(5, "7");
    vt_scroll_view(&vt, 100);
    row_is(0, "1");
    if (cursor_visible)
        fail("cursor", "shown", "hidden");
    vt_scroll_view(&vt, -1);
    row_is(0, "2");
    feed("x");
    row_is(0, "4");
    row_is(5, "9x");
    feed("\r\na\r\nb\r\nc\r\nd");
    vt_scroll_view(&vt, 100);
    row_is(0, "4"); /* the oldest are forgotten */
    row_is(4, "8");
    vt_scroll_view(&vt, -100);
    row_is(5, "d");
}

static void test_resize(void)
{
    static vt_cell_t more[ROWS][COLS];
    static vt_cell_t *row[ROWS];

    for (unsigned i = 0; i < ROWS; i++)
        row[i] = more[i];
    test = "resize";
    vt_init(&vt, cells, 3, 10);
    vt_write(&vt, "one\r\ntwo\r\nthree", 15);
    vt_resize(&vt, row, ROWS, COLS);
    vt_set_painter(&vt, &painter, NULL);
    row_is(0, "one");
    row_is(2, "three");
    at(2, 5);
    feed("\r\n4\r\n5\r\n6\r\n7");
    row_is(0, "two");
    row_is(5, "7");
}

static const struct {
    const char *layout;
    const char *codes; /* scan codes */
    const char *typed;
} layout_cases[] = {
    {"de", "\x2c\x15\x1a\x28\x27", "yzüäö"},
    {"de", "\x2a\x1a\xaa\x1a", "Üü"},
    {"de", "\xe0\x38\x10\xe0\xb8\x10", "@q"},
    {"de", "\xe0\x38\x12", "€"},
    {"de", "\x0d\x12", "é"},
    {"de", "\x29\x39", "^"},
    {"de", "\x0d\x2d", "´x"},
    {"de", "\x3a\x1a\x1e", "ÜA"},
    {"fr", "\x10\x1e\x11\x2c\x02", "aqzw&"},
    {"fr", "\x1a\x12", "ê"},
    {"fr", "\x2a\x02", "1"},
    {"us", "\x2c\x15\x38\x2d", "zy\033x"},
    {"de", "\x1d\x2c", "\x19"},
    {"us", "\x56\x2a\x56", "<>"},
};

static void test_layouts(void)
{
    struct vt_key_modes modes = {false, false, false};

    test = "keyboard layouts";
    for (unsigned i = 0; i < sizeof(layout_cases) / sizeof(layout_cases[0]); i++) {
        struct keymap k = {.layout = layout_find(layout_cases[i].layout)};
        char got[64], out[KEY_MAX_BYTES];
        size_t len = 0, n;

        for (const char *c = layout_cases[i].codes; *c; c++) {
            keymap_scancode(&k, modes, (uint8_t)*c, out, &n);
            memcpy(got + len, out, n);
            len += n;
        }
        got[len] = '\0';
        if (strcmp(got, layout_cases[i].typed) != 0)
            fail(layout_cases[i].layout, got, layout_cases[i].typed);
    }
}

static void test_text(void)
{
    begin("text, control characters, tabs");
    feed("one\r\ntwo\bX\r\n\tt\r\n");
    row_is(0, "one");
    row_is(1, "twX");
    row_is(2, "        t");
    at(3, 0);
    begin("line feed keeps the column");
    feed("ab\ncd");
    row_is(1, "  cd");
    begin("scrolling at the bottom");
    feed("1\r\n2\r\n3\r\n4\r\n5\r\n6\r\n7\r\n8");
    row_is(0, "3");
    row_is(5, "8");
    at(5, 1);
}

static void test_wrap(void)
{
    begin("wrap waits for the next character");
    feed("12345678901234567890");
    at(0, 19);
    row_is(1, "");
    feed("x");
    row_is(1, "x");
    at(1, 1);
    begin("return cancels a pending wrap");
    feed("12345678901234567890\rX");
    row_is(0, "X2345678901234567890");
    begin("no wrap without autowrap");
    feed("\033[?7l123456789012345678901234");
    row_is(0, "12345678901234567894");
    at(0, 19);
    begin("wrap scrolls");
    feed("\033[6;1H12345678901234567890x");
    row_is(4, "12345678901234567890");
    row_is(5, "x");
}

static void test_movement(void)
{
    begin("CUP HVP and clamping");
    feed("\033[3;5HA\033[4;6fB\033[99;99HC\033[HD");
    row_is(2, "    A");
    row_is(3, "     B");
    row_is(5, "                   C");
    row_is(0, "D");
    begin("CUU CUD CUF CUB CNL CPL CHA VPA");
    feed("\033[3;5H\033[2A");
    at(0, 4);
    feed("\033[3B\033[2C\033[D");
    at(3, 5);
    feed("\033[E");
    at(4, 0);
    feed("\033[7C\033[2F");
    at(2, 0);
    feed("\033[8G\033[5d");
    at(4, 7);
    feed("\033[99A\033[99D");
    at(0, 0);
    begin("save and restore");
    feed("\033[2;3H\033[31m\0337\033[5;6H\033[0m\0338X");
    row_is(1, "  X");
    attr_is(1, 2, 0x04);
    feed("\033[s\033[H\033[u");
    at(1, 3);
    begin("tabs set and cleared");
    feed("\033[3g\033[5G\033H\r\tX\r\033[5G\033[g\r\tY");
    row_is(0, "    X              Y");
    begin("back tab");
    feed("\033[18G\033[Z");
    at(0, 16);
    feed("\033[2Z");
    at(0, 0);
}

static void fill(void)
{
    feed("aaaa\r\nbbbb\r\ncccc\r\ndddd\r\neeee\r\nffff");
}

static void test_erase(void)
{
    begin("ED");
    fill();
    feed("\033[3;3H\033[J");
    row_is(1, "bbbb");
    row_is(2, "cc");
    row_is(3, "");
    begin("ED 1");
    fill();
    feed("\033[3;3H\033[1J");
    row_is(1, "");
    row_is(2, "   c");
    row_is(3, "dddd");
    begin("ED 2");
    fill();
    feed("\033[2J");
    row_is(0, "");
    row_is(5, "");
    at(5, 4);
    begin("EL");
    fill();
    feed("\033[1;3H\033[K\033[2;3H\033[1K\033[3;3H\033[2K");
    row_is(0, "aa");
    row_is(1, "   b");
    row_is(2, "");
    begin("ECH ICH DCH");
    feed("123456\033[1;2H\033[2X\033[2;1H123456\033[2;2H\033[2@\033[3;1H123456\033[3;2H\033[2P");
    row_is(0, "1  456");
    row_is(1, "1  23456");
    row_is(2, "1456");
    begin("erasing uses the background colour");
    feed("\033[44m\033[K");
    attr_is(0, 5, 0x17);
}

static void test_lines(void)
{
    begin("IL DL");
    fill();
    feed("\033[2;2H\033[L\033[5;1H\033[M");
    row_is(0, "aaaa");
    row_is(1, "");
    row_is(2, "bbbb");
    row_is(4, "eeee");
    row_is(5, "");
    begin("scroll region");
    fill();
    feed("\033[2;4r\033[4;1H\nX");
    row_is(0, "aaaa");
    row_is(1, "cccc");
    row_is(2, "dddd");
    row_is(3, "X");
    row_is(4, "eeee");
    feed("\033[2;1H\033M");
    row_is(1, "");
    row_is(2, "cccc");
    row_is(4, "eeee");
    begin("line feed below the region does not scroll");
    fill();
    feed("\033[2;4r\033[6;1H\n");
    row_is(0, "aaaa");
    at(5, 0);
    begin("IL outside the region does nothing");
    fill();
    feed("\033[2;4r\033[6;1H\033[L");
    row_is(5, "ffff");
    begin("SU SD");
    fill();
    feed("\033[2S");
    row_is(0, "cccc");
    row_is(4, "");
    feed("\033[3T");
    row_is(2, "");
    row_is(3, "cccc");
    begin("many lines");
    fill();
    feed("\033[2;1H\033[999L");
    row_is(0, "aaaa");
    row_is(1, "");
    begin("origin mode");
    feed("\033[2;4r\033[?6h\033[1;1HA\033[9;1HB\033[6n");
    row_is(1, "A");
    row_is(3, "B");
    reply_is("\033[3;2R");
    begin("RI NEL IND");
    feed("a\033Eb\033Dc\033M\033Md");
    row_is(0, "a d");
    row_is(1, "b");
    row_is(2, " c");
}

static void test_attributes(void)
{
    begin("SGR");
    feed("a\033[1mb\033[31mc\033[7md\033[0;4me\033[0;2mf\033[0;5mg\033[0;94;103mh\033[39;49mi");
    attr_is(0, 0, 0x07);
    attr_is(0, 1, 0x0f);
    attr_is(0, 2, 0x0c);
    attr_is(0, 3, 0x48);
    attr_is(0, 4, 0x03);
    attr_is(0, 5, 0x08);
    attr_is(0, 6, 0x87);
    attr_is(0, 7, 0xe9);
    attr_is(0, 8, 0x07);
    begin("SGR 38 and 48");
    feed(
        "\033[38;5;9ma\033[38;5;21mb\033[48;5;16mc\033[0;38;2;255;255;0md\033[38;5;240;1me\033[mf");
    attr_is(0, 0, 0x0c);
    attr_is(0, 1, 0x09);
    attr_is(0, 2, 0x09);
    attr_is(0, 3, 0x0e);
    attr_is(0, 5, 0x07);
    begin("SGR with an empty parameter is plain");
    feed("\033[1;31m\033[ma\033[31;mb");
    attr_is(0, 0, 0x07);
    attr_is(0, 1, 0x07);
    begin("reverse screen");
    feed("a\033[?5h");
    attr_is(0, 0, 0x70);
    feed("\033[?5l");
    attr_is(0, 0, 0x07);
}

static void test_charsets(void)
{
    begin("UTF-8 becomes CP437");
    feed("\xc3\xa9\xe2\x94\x80\xe2\x96\x88\xf0\x9f\x98\x80\xe4\xb8\xad");
    row_is(0, "\x82\xc4\xdb??");
    begin("broken UTF-8");
    feed("\xc3(\xff\xc0\xaf\xe0\x80\x80z");
    row_is(0, "?(????z");
    begin("line drawing");
    feed("\033(0lqk\033(Bx\016x\017x");
    row_is(0, "\xda\xc4\xbfx\xb3x");
    begin("insert mode");
    feed("abc\r\033[4hXY\033[4lZ");
    row_is(0, "XYZbc");
}

static void test_sequences(void)
{
    begin("DSR and DA");
    feed("\033[3;4H\033[6n\033[5n\033[c");
    reply_is("\033[3;4R\033[0n\033[?6c");
    begin("cursor visibility");
    feed("\033[?25l");
    if (cursor_visible)
        fail("cursor", "visible", "hidden");
    feed("\033[?25h");
    if (!cursor_visible)
        fail("cursor", "hidden", "visible");
    begin("OSC and DCS are swallowed");
    feed("a\033]0;title\ab\033]2;x\033\\c\033Pq#1\033\\d\033]P1ff0000e\033]Rf");
    row_is(0, "abcdef");
    begin("unknown sequences are swallowed");
    feed("a\033[?1049hb\033[>4;2mc\033[1 qd\033#5e\033%Gf\033[!pg");
    row_is(0, "abcdefg");
    begin("control characters inside a sequence act, CAN ends it");
    feed("ab\033[\r1CX\033[3\030Y");
    row_is(0, "aXY");
    begin("REP");
    feed("x\033[3b");
    row_is(0, "xxxx");
    begin("reset");
    feed("\033[2;4r\033[7mabc\033c");
    row_is(0, "");
    feed("x");
    attr_is(0, 0, 0x07);
    begin("kernel messages inside a sequence");
    feed("ab\033[3");
    vt_print(&vt, "msg\n", 4);
    feed("1mc");
    row_is(0, "abmsg");
    row_is(1, "c");
    attr_is(1, 0, 0x04);
    begin("loud kernel messages");
    feed("\033[31m");
    vt_print(&vt, "a\1b\nc\n", 6);
    feed("d");
    attr_is(0, 0, 0x07);
    attr_is(0, 1, 0x4f);
    attr_is(1, 0, 0x07);
    attr_is(2, 0, 0x04);
}

/* Any bytes whatever leave the emulator within its screen. */
static void test_random(void)
{
    static const char likely[] = "\033[;0123456789?HJKLMPXSTrhlmABCD@\n\r\t\b(0)78cDEM";
    char buf[64];

    begin("random bytes");
    srand(1);
    for (int i = 0; i < 200000; i++) {
        for (unsigned k = 0; k < sizeof(buf); k++)
            buf[k] = rand() % 4 ? likely[rand() % (int)(sizeof(likely) - 1)] : (char)rand();
        vt_write(&vt, buf, sizeof(buf));
        vt_paint(&vt);
        vt.reply_len = 0;
        for (unsigned row = 0; row < ROWS; row++) {
            if (memcmp(vt.row[row], shown[row], sizeof(shown[row])) != 0) {
                fail("screen", "not painted", "painted");
                return;
            }
        }
        if (vt.cur_row != cursor_row || vt.cur_col != cursor_col) {
            fail("cursor", "not painted", "painted");
            return;
        }
    }
}

/* Scan codes in hexadecimal, a typed string out. */
static void keys(const char *name, struct keymap *k, const char *codes, const char *want)
{
    struct vt_key_modes modes = {vt.app_cursor, vt.app_keypad, vt.newline};
    char typed[64], *end;
    size_t total = 0, n;

    test = name;
    for (const char *p = codes; *p; p = end) {
        unsigned long code = strtoul(p, &end, 16);
        keymap_scancode(k, modes, (uint8_t)code, typed + total, &n);
        total += n;
    }
    typed[total] = '\0';
    if (strcmp(typed, want) != 0)
        fail("keys", typed, want);
}

static void test_keys(void)
{
    struct keymap k = {0};

    begin("keys");
    keys("letters", &k, "1e 9e 2a 1e 9e aa 30", "aAb");
    keys("caps lock", &k, "3a ba 1e 9e 2 82 2a 1e 9e aa 3a ba 1e", "A1aa");
    keys("control", &k, "1d 2e ae 1a 9d 2e", "\003\033c");
    keys("alt", &k, "38 1e 9e b8 1e", "\033aa");
    keys("arrows", &k, "e0 48 e0 c8 e0 50 e0 4d e0 4b", "\033[A\033[B\033[C\033[D");
    keys("grey keys in shift brackets", &k, "e0 2a e0 47 e0 c7 e0 aa 1e", "\033[1~a");
    keys("function keys", &k, "3b 3f 40 44 57 58 2a 3b aa",
         "\033[[A\033[[E\033[17~\033[21~\033[23~\033[24~\033[23~");
    keys("keypad", &k, "48 45 c5 48 53 4e 45 c5 53", "\033[A8.+\033[3~");
    keys("keypad slash and enter", &k, "e0 35 e0 1c 37", "/\r*");
    keys("pause", &k, "e1 1d 45 e1 9d c5 1e", "\033[Pa");
    keys("shift tab", &k, "2a f aa f", "\033\t\t");
    feed("\033[?1h");
    keys("application cursor keys", &k, "e0 48", "\033OA");
}

int main(void)
{
    test_text();
    test_history();
    test_resize();
    test_layouts();
    test_wrap();
    test_movement();
    test_erase();
    test_lines();
    test_attributes();
    test_charsets();
    test_sequences();
    test_random();
    test_keys();
    printf("vt: %s\n", failures ? "FAILED" : "ok");
    return failures != 0;
}
