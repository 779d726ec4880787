/*
 * The kernel log. Records are kept as text in a byte ring, "<level>[seconds.micros] message\n", the
 * form in which syslog(2) returns them. Positions count bytes ever written and wrap with the ring's
 * size a power of two; the oldest record still whole starts at log_tail.
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

/* The position after the record at pos. */
static uint32_t record_end(uint32_t pos)
{
    while (pos != log_head && ring_at(pos) != '\n')
        pos++;
    return pos == log_head ? pos : pos + 1;
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
    for (uint32_t i = 0; i < n; i++)
        ring[(log_head + i) % RING_SIZE] = s[i];
    log_head += n;
}

/* Takes the next record that c is to show into line; its length, 0 for one to skip, or -1 at the
 * end. The "<n>" is dropped. */
static int next_line(struct console *c, char *line)
{
    c->shown = still_there(c->shown);
    if (c->shown == log_head)
        return -1;
    uint32_t end = record_end(c->shown);
    int level = ring_at(c->shown + 1) - '0';
    uint32_t pos = c->shown + 3;
    c->shown = end;
    if (level >= (c->muted ? LEVEL_MUTED : console_level) && !panicking)
        return 0;
    int n = 0;
    for (; pos != end && n < (int)RECORD_MAX; pos++) {
        if (ring_at(pos) != LOG_LOUD[0] || c->colours)
            line[n++] = ring_at(pos);
    }
    return n;
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

static int format_prefix(char *buf, size_t size, enum log_level level)
{
    uint64_t us = clock_ns ? clock_ns() / 1000 : 0;

    return snprintf(buf, size, "<%d>[%5u.%06u] ", (int)level, (uint32_t)(us / 1000000),
                    (uint32_t)(us % 1000000));
}

void vklog(enum log_level level, const char *fmt, va_list ap)
{
    char record[RECORD_MAX];
    int n = format_prefix(record, sizeof(record), level);
    int text = vsnprintf(record + n, sizeof(record) - (size_t)n, fmt, ap);

    n = text < (int)sizeof(record) - n ? n + text : (int)sizeof(record) - 1;
    if (record[n - 1] != '\n') {
        n = n < (int)sizeof(record) - 1 ? n + 1 : n;
        record[n - 1] = '\n';
    }
    /* The newline ends a record, so there is none inside. */
    for (int i = 0; i < n - 1; i++) {
        if (record[i] == '\n')
            record[i] = ' ';
    }
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
    int n = 0;

    for (; start + (uint32_t)n != end && (size_t)n < size; n++)
        buf[n] = ring_at(start + (uint32_t)n);
    console_unlock(&log_lock, flags);
    *pos = end;
    return n;
}

uint32_t log_oldest(void)
{
    return log_tail;
}

uint32_t log_newest(void)
{
    return log_head;
}
