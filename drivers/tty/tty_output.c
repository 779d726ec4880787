/*
 * The line discipline's output side: what OPOST does to bytes on their way to the driver, and the
 * cursor's column. Echo that the driver has no room for waits in a ring of its own, ahead of what
 * is written later. All under the terminal's lock.
 */
#include "drivers/tty/tty.h"
#include "libc/ctype.h"
#include "libc/string.h"

#define EXPANSION_MAX 8 /* a tab as spaces */

static int expand_tab(struct tty *t, char *out)
{
    uint32_t spaces = 8 - (t->column & 7);

    t->column += spaces;
    if ((t->termios.oflag & TERMIOS_TABDLY) != TERMIOS_XTABS) {
        out[0] = '\t';
        return 1;
    }
    memset(out, ' ', spaces);
    return (int)spaces;
}

static int expand_newline(struct tty *t, char *out)
{
    if (TTY_FLAG(t, oflag, ONLCR)) {
        t->column = 0;
        out[0] = '\r';
        out[1] = '\n';
        return 2;
    }
    if (TTY_FLAG(t, oflag, ONLRET))
        t->column = 0;
    out[0] = '\n';
    return 1;
}

static int expand_return(struct tty *t, char *out)
{
    if (TTY_FLAG(t, oflag, ONOCR) && t->column == 0)
        return 0;
    out[0] = '\r';
    if (TTY_FLAG(t, oflag, OCRNL)) {
        out[0] = '\n';
        if (!TTY_FLAG(t, oflag, ONLRET))
            return 1;
    }
    t->column = 0;
    return 1;
}

/* What c becomes, into out[EXPANSION_MAX]; its length. */
static int expand(struct tty *t, char c, char *out)
{
    switch (c) {
    case '\n':
        return expand_newline(t, out);
    case '\r':
        return expand_return(t, out);
    case '\t':
        return expand_tab(t, out);
    case '\b':
        t->column -= t->column > 0;
        break;
    default:
        if (TTY_FLAG(t, oflag, OLCUC))
            c = (char)toupper(c);
        if ((uint8_t)c >= 0x20 && c != 0x7f && !(TTY_FLAG(t, iflag, IUTF8) && (c & 0xc0) == 0x80))
            t->column++;
    }
    out[0] = c;
    return 1;
}

bool output_flush_echo(struct tty *t)
{
    while (t->echo_tail != t->echo_head) {
        uint32_t at = t->echo_tail % TTY_ECHO_SIZE;
        uint32_t n = t->echo_head - t->echo_tail;
        if (n > TTY_ECHO_SIZE - at)
            n = TTY_ECHO_SIZE - at;
        size_t taken = t->driver->write(t, t->echo + at, n);
        t->echo_tail += (uint32_t)taken;
        if (taken < n)
            return false;
    }
    return true;
}

static size_t write_processed(struct tty *t, const char *s, size_t n)
{
    char out[TTY_CHUNK];
    size_t done = 0;

    for (;;) {
        size_t room = t->driver->room(t), len = 0;
        if (room > sizeof(out))
            room = sizeof(out);
        while (done < n && len + EXPANSION_MAX <= room)
            len += (size_t)expand(t, s[done++], out + len);
        if (len == 0)
            return done;
        t->driver->write(t, out, len);
    }
}

size_t output_process(struct tty *t, const char *s, size_t n)
{
    if (!output_flush_echo(t))
        return 0;
    return TTY_FLAG(t, oflag, OPOST) ? write_processed(t, s, n) : t->driver->write(t, s, n);
}

bool output_echo_is_full(struct tty *t)
{
    if (t->gathers && t->echo_head - t->echo_tail == TTY_ECHO_SIZE)
        output_flush_echo(t);
    return t->echo_head - t->echo_tail == TTY_ECHO_SIZE;
}

static uint32_t echo_room(const struct tty *t)
{
    return TTY_ECHO_SIZE - (t->echo_head - t->echo_tail);
}

static void put_echo(struct tty *t, const char *s, size_t n)
{
    uint32_t room, head;
    size_t done = 0;

    if (t->echo_head == t->echo_tail && !t->gathers)
        done = t->driver->write(t, s, n);
    else if (t->gathers && echo_room(t) < n)
        output_flush_echo(t);
    room = echo_room(t);
    head = t->echo_head;
    for (; done < n && room > 0; done++, room--)
        t->echo[head++ % TTY_ECHO_SIZE] = s[done];
    t->echo_head = head;
}

void output_gather(struct tty *t)
{
    t->gathers = true;
}

void output_gathered(struct tty *t)
{
    t->gathers = false;
    output_flush_echo(t);
}

/* Whether c is one column, whatever the settings. */
static bool is_plain(char c)
{
    return c >= 0x20 && c < 0x7f;
}

void output_echo(struct tty *t, char c)
{
    char out[EXPANSION_MAX];
    int n = 1;

    if (t->gathers && is_plain(c) && !TTY_FLAG(t, oflag, OLCUC) && !output_echo_is_full(t)) {
        t->column += TTY_FLAG(t, oflag, OPOST) != 0;
        t->echo[t->echo_head++ % TTY_ECHO_SIZE] = c;
        return;
    }
    if (TTY_FLAG(t, oflag, OPOST))
        n = expand(t, c, out);
    else
        out[0] = c;
    put_echo(t, out, (size_t)n);
}

static void columns_back(struct tty *t, uint32_t n)
{
    if (TTY_FLAG(t, oflag, OPOST))
        t->column -= n < t->column ? n : t->column;
}

void output_back(struct tty *t, uint32_t n)
{
    columns_back(t, n);
    put_echo(t, "\b\b\b\b\b\b\b\b", n);
}

void output_rub_out(struct tty *t)
{
    columns_back(t, 1);
    put_echo(t, "\b \b", 3);
}

void output_raw(struct tty *t, char c)
{
    put_echo(t, &c, 1);
}

void output_flush(struct tty *t)
{
    t->echo_tail = t->echo_head;
    if (t->driver->flush_output)
        t->driver->flush_output(t);
}

size_t output_pending(struct tty *t)
{
    size_t echo = t->echo_head - t->echo_tail;

    return t->driver->pending ? echo + t->driver->pending(t) : 0;
}
