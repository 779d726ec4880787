/*
 * The line discipline on the host: typed bytes go in, what a reader gets and what the screen shows
 * is compared.
 */
#include <stdio.h>
#include <string.h>
#include "kernel/signal/signal.h"
#include "drivers/tty/tty.h"

static struct tty tty;
static char ring[TTY_INPUT_SIZE];
static char screen[8192];
static size_t shown, room_left;
static int failures;
static const char *test;

static size_t driver_write(struct tty *t, const char *s, size_t n)
{
    (void)t;
    if (n > room_left)
        n = room_left;
    memcpy(screen + shown, s, n);
    shown += n;
    room_left -= n;
    return n;
}

static size_t driver_room(struct tty *t)
{
    (void)t;
    return room_left;
}

static const struct tty_driver driver = {
    .name = "test", .write = driver_write, .room = driver_room};

void tty_set_stopped(struct tty *t, bool stopped)
{
    t->stopped = stopped;
}

static void begin(const char *name)
{
    test = name;
    memset(&tty, 0, sizeof(tty));
    tty.driver = &driver;
    tty.input = ring;
    tty.termios.iflag = TERMIOS_ICRNL | TERMIOS_IXON;
    tty.termios.oflag = TERMIOS_OPOST | TERMIOS_ONLCR;
    tty.termios.lflag = TERMIOS_ISIG | TERMIOS_ICANON | TERMIOS_ECHO | TERMIOS_ECHOE |
                        TERMIOS_ECHOK | TERMIOS_ECHOCTL | TERMIOS_ECHOKE | TERMIOS_IEXTEN;
    memcpy(tty.termios.cc, "\003\034\177\025\004\0\1\0\021\023\032\0\022\017\027\026\0", 17);
    shown = 0;
    room_left = sizeof(screen);
}

static size_t type(const char *s, size_t n)
{
    size_t taken = 0;

    while (taken < n && ldisc_input(&tty, s[taken]))
        taken++;
    return taken;
}

static void compare(const char *what, const char *got, size_t ngot, const char *want, size_t nwant)
{
    if (ngot == nwant && memcmp(got, want, ngot) == 0)
        return;
    printf("ldisc: %s: %s is \"%.*s\" (%zu), not \"%.*s\" (%zu)\n", test, what, (int)ngot, got,
           ngot, (int)nwant, want, nwant);
    failures++;
}

static void read_is(size_t len, const char *want, bool want_done)
{
    char buf[64];
    bool done;
    size_t n = ldisc_take(&tty, buf, len, &done);

    compare("read", buf, n, want, strlen(want));
    if (done != want_done) {
        printf("ldisc: %s: line end is %d\n", test, done);
        failures++;
    }
}

static void screen_is(const char *want)
{
    compare("screen", screen, shown, want, strlen(want));
    shown = 0;
}

#define TYPE(s)            type(s, sizeof(s) - 1)
#define SET(field, flag)   (tty.termios.field |= TERMIOS_##flag)
#define CLEAR(field, flag) (tty.termios.field &= ~(uint32_t)TERMIOS_##flag)

static void number_is(const char *what, unsigned got, unsigned want)
{
    if (got == want)
        return;
    printf("ldisc: %s: %s is %u, not %u\n", test, what, got, want);
    failures++;
}

/* As pseudo-terminals do. */
static const struct tty_driver patient = {
    .name = "patient", .write = driver_write, .room = driver_room, .offers_again = true};

/* How often the byte had to be offered. */
static unsigned offer(char c)
{
    unsigned times = 1;

    while (!ldisc_input(&tty, c) && times < 1000)
        times++;
    return times;
}

static void test_steps(void)
{
    char line[1000], want[1010];

    begin("what has to do with a whole line goes in steps");
    tty.driver = &patient;
    memset(line, 'x', sizeof(line));
    number_is("typed", (unsigned)type(line, sizeof(line)), sizeof(line));
    shown = 0;
    number_is("^R", offer('\022'), 10);
    memcpy(want, "^R\r\n", 4);
    memcpy(want + 4, line, sizeof(line));
    compare("reprinted", screen, shown, want, sizeof(line) + 4);
    shown = 0;
    TYPE(" y");
    shown = 0;
    number_is("^W of a short word", offer('\027'), 1);
    screen_is("\b \b");
    number_is("^W of a long one", offer('\027'), 11);
    number_is("left of it", ldisc_readable(&tty), 0);
    shown = 0;
    room_left = sizeof(screen);
    type(line, sizeof(line));
    shown = 0;
    number_is("^U", offer('\025'), 10);
    number_is("shown", (unsigned)shown, 3 * sizeof(line));
    shown = 0;
    TYPE("end\n");
    read_is(10, "end\n", true);
}

static void test_lines(void)
{
    begin("a line is read when it is complete");
    TYPE("ab");
    number_is("ready", ldisc_input_ready(&tty, 1), 0);
    TYPE("c\r");
    number_is("ready", ldisc_input_ready(&tty, 1), 1);
    number_is("readable", ldisc_readable(&tty), 4);
    screen_is("abc\r\n");
    read_is(64, "abc\n", true);
    begin("lines are read one at a time, in pieces");
    TYPE("abc\rd\r");
    read_is(2, "ab", false);
    read_is(64, "c\n", true);
    read_is(64, "d\n", true);
    begin("end of file");
    TYPE("ab\004\004cd\n");
    number_is("readable", ldisc_readable(&tty), 5);
    read_is(64, "ab", true);
    read_is(64, "", true);
    read_is(64, "cd\n", true);
    begin("end of file right behind a full buffer");
    TYPE("ab\004x\n");
    read_is(2, "ab", true);
    read_is(64, "x\n", true);
    begin("EOL");
    tty.termios.cc[VEOL] = ';';
    TYPE("a;b\n");
    read_is(64, "a;", true);
    screen_is("a;b\r\n");
}

static void test_editing(void)
{
    begin("erase");
    TYPE("\177abc\177\177d\n");
    screen_is("abc\b \b\b \bd\r\n");
    read_is(64, "ad\n", true);
    begin("erase of control characters and tabs");
    TYPE("a\001\177");
    screen_is("a^A\b \b\b \b");
    TYPE("\t\177b\n");
    screen_is("\t\b\b\b\b\b\b\bb\r\n");
    read_is(64, "ab\n", true);
    begin("a tab behind a prompt");
    output_process(&tty, "$ ", 2);
    TYPE("\t\177");
    screen_is("$ \t\b\b\b\b\b\b");
    begin("erase does not cross a line");
    TYPE("a\n\177b\n");
    read_is(64, "a\n", true);
    read_is(64, "b\n", true);
    begin("erase of UTF-8");
    SET(iflag, IUTF8);
    TYPE("x\303\251\177\n");
    screen_is("x\303\251\b \b\r\n");
    read_is(64, "x\n", true);
    begin("word erase");
    TYPE("one two, \027\n");
    read_is(64, "one \n", true);
    begin("kill");
    TYPE("abc\025d\n");
    screen_is("abc\b \b\b \b\b \bd\r\n");
    read_is(64, "d\n", true);
    begin("kill without ECHOKE");
    CLEAR(lflag, ECHOKE);
    TYPE("abc\025d\n");
    screen_is("abc^U\r\nd\r\n");
    begin("reprint");
    TYPE("ab\022c\n");
    screen_is("ab^R\r\nabc\r\n");
    begin("literal next");
    TYPE("a\026\003\026\n\n");
    number_is("signals", tty.signals, 0);
    read_is(64, "a\003\n\n", true);
    begin("no echo");
    CLEAR(lflag, ECHO);
    TYPE("se\177cret\n");
    screen_is("");
    SET(lflag, ECHONL);
    TYPE("x\n");
    screen_is("\r\n");
}

static void test_signals(void)
{
    begin("^C flushes and signals");
    TYPE("ab\003c\n");
    number_is("signals", tty.signals, 1u << SIGINT);
    screen_is("ab^Cc\r\n");
    read_is(64, "c\n", true);
    begin("NOFLSH");
    SET(lflag, NOFLSH);
    TYPE("ab\032c\n");
    number_is("signals", tty.signals, 1u << SIGTSTP);
    read_is(64, "abc\n", true);
    begin("without ISIG it is data");
    CLEAR(lflag, ISIG);
    TYPE("\034\n");
    number_is("signals", tty.signals, 0);
    read_is(64, "\034\n", true);
    begin("stop and start");
    TYPE("a\023");
    number_is("stopped", tty.stopped, 1);
    TYPE("\021b\n");
    number_is("stopped", tty.stopped, 0);
    read_is(64, "ab\n", true);
    begin("IXANY");
    SET(iflag, IXANY);
    TYPE("\023a");
    number_is("stopped", tty.stopped, 0);
    begin("break");
    ldisc_break(&tty);
    number_is("readable in the line", tty.head - tty.canon, 1);
    SET(iflag, BRKINT);
    ldisc_break(&tty);
    number_is("signals", tty.signals, 1u << SIGINT);
}

static void test_modes(void)
{
    struct termios old;

    begin("raw");
    CLEAR(lflag, ICANON);
    CLEAR(lflag, ECHO);
    TYPE("a\r\177");
    number_is("readable", ldisc_readable(&tty), 3);
    read_is(2, "a\n", false);
    read_is(9, "\177", false);
    begin("an unfinished line can be read when the mode becomes raw");
    TYPE("abc");
    old = tty.termios;
    CLEAR(lflag, ICANON);
    ldisc_mode_changed(&tty, &old);
    read_is(2, "ab", false);
    old = tty.termios;
    SET(lflag, ICANON);
    ldisc_mode_changed(&tty, &old);
    TYPE("d\n");
    read_is(9, "c", true);
    read_is(9, "d\n", true);
    begin("input mapping");
    tty.termios.iflag = TERMIOS_INLCR | TERMIOS_IGNCR | TERMIOS_ISTRIP;
    CLEAR(lflag, ICANON);
    TYPE("a\r\n\341");
    read_is(9, "a\ra", false);
    begin("IUCLC");
    SET(iflag, IUCLC);
    TYPE("AbC\n");
    read_is(9, "abc\n", true);
}

static void test_output(void)
{
    begin("OPOST");
    output_process(&tty, "a\tb\n", 4);
    screen_is("a\tb\r\n");
    SET(oflag, XTABS);
    output_process(&tty, "ab\tc\n", 5);
    screen_is("ab      c\r\n");
    SET(oflag, OLCUC);
    output_process(&tty, "ab\n", 3);
    screen_is("AB\r\n");
    begin("OCRNL, ONOCR");
    SET(oflag, ONOCR);
    output_process(&tty, "\ra\r", 3);
    screen_is("a\r");
    tty.termios.oflag = TERMIOS_OPOST | TERMIOS_OCRNL;
    output_process(&tty, "a\r", 2);
    screen_is("a\n");
    begin("no room");
    room_left = 10;
    number_is("taken", (unsigned)output_process(&tty, "abcdefghijkl", 12), 3);
    begin("echo without room is kept ahead of later output");
    room_left = 0;
    TYPE("abc");
    room_left = 100;
    output_process(&tty, "X", 1);
    screen_is("abcX");
}

static void test_full(void)
{
    begin("a line that nobody could read is cut, the newline goes in");
    for (int i = 0; i < 5000; i++)
        number_is("taken", (unsigned)TYPE("x"), 1);
    number_is("taken", (unsigned)TYPE("\n"), 1);
    number_is("readable", ldisc_readable(&tty), TTY_INPUT_SIZE);
    number_is("taken when full", (unsigned)TYPE("y"), 0);
    TYPE("\003");
    number_is("signals when full", tty.signals, 1u << SIGINT);
    begin("raw input that does not fit is left to the driver");
    CLEAR(lflag, ICANON);
    for (unsigned i = 0; i < TTY_INPUT_SIZE - 1; i++)
        number_is("taken", (unsigned)TYPE("x"), 1);
    number_is("taken", (unsigned)TYPE("x"), 0);
    read_is(1, "x", false);
    number_is("taken", (unsigned)TYPE("x"), 1);
}

int main(void)
{
    test_lines();
    test_steps();
    test_editing();
    test_signals();
    test_modes();
    test_output();
    test_full();
    printf("ldisc: %s\n", failures ? "FAILED" : "ok");
    return failures != 0;
}
