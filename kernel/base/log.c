/*
 * The kernel log. Records are kept as text in a byte ring, "<priority>[seconds.micros] message\n",
 * the form in which syslog(2) returns them. Positions count bytes ever written and wrap with the
 * ring's size a power of two; the oldest record still whole starts at log_tail.
 *
 * Every console has a position of its own. Whoever logs shows what is outstanding, one flusher at a
 * time, so lines never mix and a console that comes late gets what it missed.
 */
#include "kernel/base/log.h"
#include "arch/cpu.h"
#include "kernel/base/boot.h"
#include "libc/printf.h"
#include "libc/string.h"

#define RING_SIZE   LOG_RING_SIZE
#define RECORD_MAX  LOG_RECORD_MAX
#define LEVEL_QUIET 5
#define LEVEL_INFO  7 /* shows what is more urgent than LOG_DEBUG */
#define LEVEL_MUTED 3 /* of a console that console= does not name */
#define SPIN_LIMIT  (1u << 24)

static struct console_lock log_lock;
static char ring[RING_SIZE];        /* [log_lock] */
static uint32_t log_head, log_tail; /* [log_lock] */
static struct console *consoles;    /* [log_lock] */
static bool flushing;               /* [log_lock] somebody is writing to the consoles */
static int console_level = LEVEL_INFO;
static uint64_t (*clock_ns)(void);

uint32_t console_lock(struct console_lock *l)
{
    uint32_t flags = irq_save();
    uint32_t spins = 0;

    while (__atomic_exchange_n(&l->held, 1, __ATOMIC_ACQUIRE)) {
        if (panicking || ++spins == SPIN_LIMIT)
            break;
        cpu_relax();
    }
    return flags;
}

void console_unlock(struct console_lock *l, uint32_t flags)
{
    __atomic_store_n(&l->held, 0, __ATOMIC_RELEASE);
    irq_restore(flags);
}

void log_set_quiet(void)
{
    console_level = LEVEL_QUIET;
}

void log_set_level(int level)
{
    console_level = level;
}

int log_level(void)
{
    return console_level;
}

void log_set_clock(uint64_t (*mono_ns)(void))
{
    clock_ns = mono_ns;
}

static char ring_at(uint32_t pos)
{
    return ring[pos % RING_SIZE];
}

/* How many of n bytes from pos lie in one piece. */
static uint32_t piece(uint32_t pos, uint32_t n)
{
    uint32_t left = RING_SIZE - pos % RING_SIZE;

    return n < left ? n : left;
}

/* The position after the record at pos. */
static uint32_t record_end(uint32_t pos)
{
    while (pos != log_head) {
        const char *at = &ring[pos % RING_SIZE];
        uint32_t n = piece(pos, log_head - pos);
        const char *newline = memchr(at, '\n', n);

        if (newline)
            return pos + (uint32_t)(newline - at) + 1;
        pos += n;
    }
    return pos;
}

static void ring_copy(uint32_t pos, char *to, uint32_t n)
{
    uint32_t first = piece(pos, n);

    memcpy(to, &ring[pos % RING_SIZE], first);
    memcpy(to + first, ring, n - first);
}

/* pos, or the oldest record if that one is gone. */
static uint32_t still_there(uint32_t pos)
{
    return (int32_t)(pos - log_tail) < 0 ? log_tail : pos;
}

static void ring_append(const char *s, uint32_t n)
{
    while (log_head + n - log_tail > RING_SIZE)
        log_tail = record_end(log_tail);
    uint32_t first = piece(log_head, n);
    memcpy(&ring[log_head % RING_SIZE], s, first);
    memcpy(ring, s + first, n - first);
    log_head += n;
}

/* Takes a character out of a line; what is left of its length. */
static uint32_t without(char *line, uint32_t n, char what)
{
    char *at;

    while ((at = memchr(line, what, n))) {
        memmove(at, at + 1, (size_t)(line + n - at - 1));
        n--;
    }
    return n;
}

/* The position after the "<priority>" that a record begins with. */
static uint32_t after_priority(uint32_t pos, int *level)
{
    unsigned priority = 0;

    for (pos++; ring_at(pos) != '>'; pos++)
        priority = priority * 10 + (unsigned)(ring_at(pos) - '0');
    *level = priority & 7;
    return pos + 1;
}

/* Takes the next record that c is to show into line; its length, 0 for one to skip, or -1 at the
 * end. The "<priority>" is dropped. */
static int next_line(struct console *c, char *line)
{
    c->shown = still_there(c->shown);
    if (c->shown == log_head)
        return -1;
    int level;
    uint32_t end = record_end(c->shown), pos = after_priority(c->shown, &level);
    c->shown = end;
    if (level >= (c->muted ? LEVEL_MUTED : console_level) && !panicking)
        return 0;
    uint32_t n = end - pos < RECORD_MAX ? end - pos : RECORD_MAX;
    ring_copy(pos, line, n);
    return (int)(c->colours ? n : without(line, n, LOG_LOUD[0]));
}

static void console_catch_up(struct console *c)
{
    static char line[RECORD_MAX]; /* the flusher's */

    for (;;) {
        uint32_t flags = console_lock(&log_lock);
        int n = next_line(c, line);
        console_unlock(&log_lock, flags);
        if (n < 0)
            return;
        if (n > 0)
            c->write(line, (size_t)n);
    }
}

/* Whether a console has something left to show. */
static bool consoles_behind(void)
{
    for (struct console *c = consoles; c; c = c->next) {
        if (c->shown != log_head)
            return true;
    }
    return false;
}

static void log_flush(void)
{
    uint32_t flags = console_lock(&log_lock);

    while ((!flushing || panicking) && consoles_behind()) {
        flushing = true;
        console_unlock(&log_lock, flags);
        for (struct console *c = consoles; c; c = c->next)
            console_catch_up(c);
        flags = console_lock(&log_lock);
        flushing = false;
    }
    console_unlock(&log_lock, flags);
}

/* n in at least width characters; where they end. */
static char *put_number(char *to, uint32_t n, int width, char pad)
{
    char digits[10]; /* backwards */
    int len = 0;

    do
        digits[len++] = (char)('0' + n % 10);
    while (n /= 10);
    for (; width > len; width--)
        *to++ = pad;
    while (len)
        *to++ = digits[--len];
    return to;
}

/* "<priority>[seconds.micros] ": every line has it. */
static int format_prefix(char *buf, enum log_level level)
{
    uint64_t us = clock_ns ? clock_ns() / 1000 : 0;
    uint32_t seconds = (uint32_t)(us / 1000000);
    char *p = buf;

    *p++ = '<';
    p = put_number(p, level, 1, '0');
    *p++ = '>';
    *p++ = '[';
    p = put_number(p, seconds, 5, ' ');
    *p++ = '.';
    p = put_number(p, (uint32_t)us - seconds * 1000000, 6, '0');
    *p++ = ']';
    *p++ = ' ';
    return (int)(p - buf);
}

void vklog(enum log_level level, const char *fmt, va_list ap)
{
    char record[RECORD_MAX];
    int n = format_prefix(record, level);
    int text = vsnprintf(record + n, sizeof(record) - (size_t)n, fmt, ap);

    n = text < (int)sizeof(record) - n ? n + text : (int)sizeof(record) - 1;
    if (record[n - 1] != '\n') {
        n = n < (int)sizeof(record) - 1 ? n + 1 : n;
        record[n - 1] = '\n';
    }
    /* The newline ends a record, so there is none inside. */
    for (char *at; (at = memchr(record, '\n', (size_t)n - 1));)
        *at = ' ';
    uint32_t flags = console_lock(&log_lock);
    ring_append(record, (uint32_t)n);
    console_unlock(&log_lock, flags);
    log_flush();
}

void klog(enum log_level level, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vklog(level, fmt, ap);
    va_end(ap);
}

struct console *console_first(void)
{
    return consoles;
}

void console_register(struct console *c)
{
    char level[16];

    if (boot_option("loglevel", level, sizeof(level)))
        console_level = (int)strtol(level, NULL, 0);
    else if (boot_flag("quiet"))
        log_set_quiet();
    c->muted = !console_is_named(c->name);
    uint32_t flags = console_lock(&log_lock);
    c->shown = log_tail;
    c->next = consoles;
    consoles = c;
    console_unlock(&log_lock, flags);
    log_flush();
}

/* ---- For readers ---- */

int log_next_record(uint32_t *pos, char *buf, size_t size)
{
    uint32_t flags = console_lock(&log_lock);
    uint32_t start = still_there(*pos), end = record_end(start);
    uint32_t n = end - start < size ? end - start : (uint32_t)size;

    ring_copy(start, buf, n);
    console_unlock(&log_lock, flags);
    *pos = end;
    return (int)n;
}

uint32_t log_oldest(void)
{
    return log_tail;
}

uint32_t log_newest(void)
{
    return log_head;
}
