/*
 * memmap -s: records of all that can be seen of memory, for a picture that is drawn elsewhere. Each
 * is a line, and tells what changed since the last one of its kind; docs/seeing.md has the list. A
 * line "." ends a picture: between two of them what was told fits together as /proc did.
 *
 * The other side may write lines back: hold, go, step, rate N, watch PID, again.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include "user/memmap/memmap.h"
#include "user/shared/event.h"
#include "user/shared/watch.h"

#define OUT_ROOM     8192u
#define LINE_ROOM    320u
#define WATCHED      4u   /* processes whose tables are told */
#define TABLE_MAX    4096 /* entries of each */
#define PROCESSES    128u
#define PICTURE_MS   100
#define SLOW_EVERY   5u /* pictures between two looks at what seldom changes */
#define RATE_DEFAULT 20u

struct told { /* a process whose tables the other side knows */
    struct view now, before;
    unsigned used_at; /* s.clock when it last faulted */
};

static struct {
    int fd;
    char out[OUT_ROOM];
    size_t used;
    bool gone; /* the other side */
    struct map map;
    uint8_t *kind_told;
    unsigned hand_told;
    unsigned long swap_told;
    struct told told[WATCHED];
    struct {
        pid_t pid, parent;
        char name[32];
        bool seen;
    } process[PROCESSES];
    unsigned processes, clock;
    pid_t chosen; /* by "watch", stays among those told */
    struct watch watch;
    unsigned rate; /* faults a second while they are held; 0: only "step" lets one by */
    char command[32];
    unsigned command_used;
} s = {.rate = RATE_DEFAULT};

/* ---- Sending ---- */

static void flush_out(void)
{
    for (size_t done = 0; done < s.used && !s.gone;) {
        struct pollfd room = {.fd = s.fd, .events = POLLOUT};
        ssize_t n = write(s.fd, s.out + done, s.used - done);

        if (n > 0)
            done += (size_t)n;
        else if (n == 0 || errno != EAGAIN || poll(&room, 1, -1) < 0)
            s.gone = true;
    }
    s.used = 0;
}

static void tell(const char *line)
{
    size_t n = strlen(line);

    if (s.used + n > OUT_ROOM)
        flush_out();
    memcpy(s.out + s.used, line, n);
    s.used += n;
}

/* ---- Frames ---- */

/* f START RUNS: from the first that differs, as far as there are more differences soon. */
static unsigned tell_run(unsigned from)
{
    char line[LINE_ROOM], *p = line + snprintf(line, sizeof(line), "f %x ", from);
    unsigned at = from, same = 0;

    while (at < s.map.frames && same < 8 && p < line + sizeof(line) - 16) {
        uint8_t kind = s.map.kind[at];
        unsigned n = 0;

        while (at < s.map.frames && s.map.kind[at] == kind && same < 8) {
            same = s.kind_told[at] == kind ? same + 1 : 0;
            s.kind_told[at++] = kind;
            n++;
        }
        p += snprintf(p, 16, n > 1 ? "%c%u" : "%c", owner_letter[kind], n);
    }
    strcpy(p, "\n");
    tell(line);
    return at;
}

static void tell_frames(void)
{
    map_kinds(&s.map);
    for (unsigned i = 0; i < s.map.frames;)
        if (s.map.kind[i] == s.kind_told[i])
            i++;
        else
            i = tell_run(i);
}

static void tell_figures(void)
{
    char line[64];

    map_figures(&s.map);
    if (s.map.hand != s.hand_told) {
        snprintf(line, sizeof(line), "h %x\n", s.map.hand);
        tell(line);
        s.hand_told = s.map.hand;
    }
    if (s.map.swap - s.map.swap_free != s.swap_told) {
        s.swap_told = s.map.swap - s.map.swap_free;
        snprintf(line, sizeof(line), "s %lu %lu\n", s.swap_told, s.map.swap);
        tell(line);
    }
}

/* ---- Processes ---- */

static pid_t parent_of(pid_t pid)
{
    char path[32], text[256];
    const char *p;
    ssize_t n;
    int fd;

    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    fd = open(path, O_RDONLY);
    n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (fd >= 0)
        close(fd);
    if (n <= 0)
        return 0;
    text[n] = '\0';
    p = strrchr(text, ')');
    return p ? atoi(p + 4) : 0;
}

static void tell_process(pid_t pid)
{
    char name[32], line[96];
    unsigned i = 0;

    while (i < s.processes && s.process[i].pid != pid)
        i++;
    if (i == PROCESSES || !process_name(pid, name, sizeof(name)))
        return;
    if (i == s.processes) {
        s.processes++;
        s.process[i].pid = pid;
        s.process[i].name[0] = '\0';
    }
    s.process[i].seen = true;
    if (strcmp(s.process[i].name, name) == 0)
        return;
    strlcpy(s.process[i].name, name, sizeof(name));
    snprintf(line, sizeof(line), "p %d %d %s\n", pid, parent_of(pid), name);
    tell(line);
}

static void tell_processes(void)
{
    struct dirent *e;
    char line[32];
    DIR *d = opendir("/proc");

    for (unsigned i = 0; i < s.processes; i++)
        s.process[i].seen = false;
    while (d && (e = readdir(d)))
        if (atoi(e->d_name) > 0)
            tell_process(atoi(e->d_name));
    if (d)
        closedir(d);
    for (unsigned i = 0; i < s.processes;) {
        if (s.process[i].seen) {
            i++;
            continue;
        }
        snprintf(line, sizeof(line), "x %d\n", s.process[i].pid);
        tell(line);
        s.process[i] = s.process[--s.processes];
    }
}

/* ---- Tables ---- */

static void tell_entry(pid_t pid, const struct entry *e, bool gone)
{
    char line[64];

    if (gone)
        snprintf(line, sizeof(line), "u %d %x\n", pid, e->page);
    else
        snprintf(line, sizeof(line), "t %d %x %x %x\n", pid, e->page, e->frame, e->bits);
    tell(line);
}

static bool same_entry(const struct entry *a, const struct entry *b)
{
    return a->frame == b->frame && a->bits == b->bits;
}

static void tell_entries(const struct told *t)
{
    const struct entry *a = t->before.entries, *a_end = a + t->before.count;
    const struct entry *b = t->now.entries, *b_end = b + t->now.count;

    while (a < a_end || b < b_end) {
        if (b == b_end || (a < a_end && a->page < b->page)) {
            tell_entry(t->now.pid, a++, true);
        } else if (a == a_end || b->page < a->page) {
            tell_entry(t->now.pid, b++, false);
        } else {
            if (!same_entry(a, b))
                tell_entry(t->now.pid, b, false);
            a++, b++;
        }
    }
}

/* "a PID" begins the areas anew, then each as "a PID START-END PROT ... NAME"; "d" the same. */
static void tell_text(char record, pid_t pid, const char *now, const char *before)
{
    char line[LINE_ROOM];

    if (before && strcmp(now, before) == 0)
        return;
    snprintf(line, sizeof(line), "%c %d\n", record, pid);
    tell(line);
    while (*now) {
        size_t n = strcspn(now, "\n");

        snprintf(line, sizeof(line), "%c %d %.*s\n", record, pid, (int)(n < 240 ? n : 240), now);
        tell(line);
        now += n + (now[n] == '\n');
    }
}

static void forget(struct told *t)
{
    char line[32];

    snprintf(line, sizeof(line), "g %d\n", t->now.pid ? t->now.pid : t->before.pid);
    tell(line);
    view_free(&t->now);
    view_free(&t->before);
    t->used_at = 0;
}

static void tell_view(struct told *t)
{
    struct view before = t->before;

    if (!t->now.pid)
        return;
    if (!view_read(&t->now)) {
        forget(t);
        return;
    }
    if (t->now.count > TABLE_MAX)
        t->now.count = TABLE_MAX;
    tell_text('a', t->now.pid, t->now.maps, before.maps);
    tell_text('d', t->now.pid, t->now.directory, before.directory);
    tell_entries(t);
    t->before = t->now;
    t->now = before;
    t->now.pid = t->before.pid;
}

/* Its tables are told from now on, instead of those of whom nothing was heard for longest. */
static void watch_process(pid_t pid)
{
    struct told *oldest = NULL;

    if (pid == getpid())
        return;
    s.clock++;
    for (unsigned i = 0; i < WATCHED; i++) {
        struct told *t = &s.told[i];

        if (t->now.pid == pid) {
            t->used_at = s.clock;
            return;
        }
        if (t->now.pid && t->now.pid == s.chosen)
            continue;
        if (!oldest || t->used_at < oldest->used_at)
            oldest = t;
    }
    if (oldest->now.pid)
        forget(oldest);
    oldest->now.pid = pid;
    oldest->used_at = s.clock;
}

/* ---- Faults ---- */

/* e LINE|WORDS */
static void take_fault(void *ctx, const char *line)
{
    char words[128], record[LINE_ROOM + 128];
    struct event e;

    (void)ctx;
    if (!event_parse(line, &e) || e.pid == getpid())
        return;
    event_reason(&e, words, sizeof(words));
    snprintf(record, sizeof(record), "e %s|%s\n", line, words);
    tell_process(e.pid);
    tell(record);
    watch_process(e.pid);
}

/* ---- What the other side asks for ---- */

static void begin_again(void)
{
    char line[64];

    snprintf(line, sizeof(line), "M %u 4096 %d\n", s.map.frames, getpid());
    tell(line);
    memset(s.kind_told, OWNERS, s.map.frames);
    s.hand_told = ~0u;
    s.swap_told = ~0ul;
    s.processes = 0;
    for (unsigned i = 0; i < WATCHED; i++) {
        pid_t pid = s.told[i].now.pid;

        view_free(&s.told[i].now);
        view_free(&s.told[i].before);
        s.told[i].now.pid = pid;
    }
}

static void obey(const char *command)
{
    if (strcmp(command, "hold") == 0 || strcmp(command, "go") == 0)
        watch_hold(&s.watch, command[0] == 'h');
    else if (strcmp(command, "step") == 0)
        watch_step(&s.watch);
    else if (strncmp(command, "rate ", 5) == 0)
        s.rate = (unsigned)atoi(command + 5);
    else if (strncmp(command, "watch ", 6) == 0)
        watch_process(s.chosen = atoi(command + 6));
    else if (strcmp(command, "again") == 0)
        begin_again();
}

static void read_commands(void)
{
    char c;

    while (read(s.fd, &c, 1) == 1) {
        if (c != '\n' && c != '\r') {
            if (s.command_used < sizeof(s.command) - 1)
                s.command[s.command_used++] = c;
            continue;
        }
        s.command[s.command_used] = '\0';
        s.command_used = 0;
        obey(s.command);
    }
}

/* ---- The loop ---- */

static void tell_picture(unsigned n)
{
    struct timespec now;
    char line[64];

    if (n % SLOW_EVERY == 0) {
        tell_figures();
        tell_processes();
    }
    for (unsigned i = 0; i < WATCHED; i++)
        tell_view(&s.told[i]);
    tell_frames();
    clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(line, sizeof(line), ". %u.%03u %s\n", (unsigned)now.tv_sec,
             (unsigned)now.tv_nsec / 1000000u, s.watch.held ? "held" : "free");
    tell(line);
    flush_out();
}

static int pause_ms(void)
{
    if (!s.watch.held || !s.rate)
        return PICTURE_MS;
    return s.rate > 1000 ? 1 : (int)(1000 / s.rate);
}

static bool open_device(const char *device)
{
    struct termios raw;

    s.fd = open(device, O_RDWR | O_NOCTTY | O_NONBLOCK);
    if (s.fd < 0)
        s.fd = open(device, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (s.fd >= 0 && tcgetattr(s.fd, &raw) == 0) {
        raw.c_iflag = raw.c_oflag = raw.c_lflag = 0;
        raw.c_cc[VMIN] = 1;
        tcsetattr(s.fd, TCSANOW, &raw);
    }
    return s.fd >= 0;
}

int stream(const char *device)
{
    struct pollfd p = {.events = POLLIN};

    if (!open_device(device) || !map_open(&s.map) || !watch_open(&s.watch) ||
        !(s.kind_told = malloc(s.map.frames))) {
        perror("memmap -s");
        return 1;
    }
    p.fd = s.fd;
    begin_again();
    for (unsigned n = 0; !s.gone; n++) {
        unsigned faults = watch_drain(&s.watch, take_fault, NULL);

        tell_picture(n);
        if (s.watch.held && s.rate && (faults || n % SLOW_EVERY == 0))
            watch_step(&s.watch);
        if (poll(&p, 1, pause_ms()) > 0)
            read_commands();
    }
    return 0;
}
