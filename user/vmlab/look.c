/* The instruments: page tables through /proc/PID/pagemap, /proc/kpagecount and kpageflags, faults
 * through getrusage. All are Linux's, so that the same binary measures Linux. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include "user/vmlab/lab.h"

#define PRESENT  (1ull << 63)
#define SWAPPED  (1ull << 62)
#define PFN_MASK ((1ull << 55) - 1)
#define KPF_SWAP (1ull << 13)
#define KPF_ZERO (1ull << 24)
#define BATCH    64u
#define COLUMNS  80u /* of the terminal */
#define RIGHTS   4   /* "wad" */

int failures;

static unsigned column; /* of the paragraph that say() is at; 0: none */

void end_paragraph(void)
{
    if (column)
        putchar('\n');
    column = 0;
}

void say(const char *fmt, ...)
{
    char text[512], *word;
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    for (word = strtok(text, " "); word; word = strtok(NULL, " ")) {
        unsigned n = (unsigned)strlen(word) + 1;

        if (column + n > COLUMNS)
            end_paragraph();
        column += (unsigned)printf(column ? " %s" : "  %s", word);
    }
}

/* One figure of an experiment: a wrong one shows in the exit status, and the experiment goes on. */
static void judge(const char *what, const char *measured, const char *right)
{
    bool ok = strcmp(measured, right) == 0;

    end_paragraph();
    printf("    %-52s %8s  %s", what, measured, ok ? "right" : "WRONG");
    if (!ok)
        printf(": should be %s", right);
    putchar('\n');
    failures += !ok;
}

void check(const char *what, long measured, long right)
{
    char is[24], should_be[24];

    snprintf(is, sizeof(is), "%ld", measured);
    snprintf(should_be, sizeof(should_be), "%ld", right);
    judge(what, is, should_be);
}

void check_that(const char *what, bool is, bool should_be)
{
    judge(what, is ? "yes" : "no", should_be ? "yes" : "no");
}

void give_up(const char *what)
{
    end_paragraph();
    printf("    cannot go on: %s: %s\n", what, strerror(errno));
    exit(1);
}

long minor_faults(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return u.ru_minflt;
}

long major_faults(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return u.ru_majflt;
}

/* ---- Page tables ---- */

static int open_of(pid_t pid, const char *file)
{
    char path[48];
    int fd;

    if (pid)
        snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
    else
        snprintf(path, sizeof(path), "/proc/self/%s", file);
    fd = open(path, O_RDONLY);
    if (fd < 0)
        give_up(path);
    return fd;
}

/* Of a file with 64 bits for each frame. Root's, as are the frame numbers of pagemap. */
static uint64_t word_of(const char *path, unsigned frame)
{
    uint64_t word = 0;
    int fd = open(path, O_RDONLY);

    if (fd < 0 || pread(fd, &word, sizeof(word), (off_t)frame * sizeof(word)) != sizeof(word))
        give_up(path);
    close(fd);
    return word;
}

static void look_at_frame(struct look *l)
{
    uint64_t flags = word_of("/proc/kpageflags", l->frame);

    l->zero = flags & KPF_ZERO;
    l->in_swap = flags & KPF_SWAP;
    l->mappings = (unsigned)word_of("/proc/kpagecount", l->frame);
}

/* Of process pid (0: this one), the pages from at on: whether each is mapped, and what its frame
 * is. */
void look(pid_t pid, const void *at, unsigned pages, struct look *out)
{
    int fd = open_of(pid, "pagemap");
    uint64_t word[BATCH];
    off_t index = (uintptr_t)at / PAGE;

    for (unsigned done = 0; done < pages;) {
        unsigned n = pages - done < BATCH ? pages - done : BATCH;

        if (pread(fd, word, n * sizeof(word[0]), (index + done) * (off_t)sizeof(word[0])) !=
            (ssize_t)(n * sizeof(word[0])))
            give_up("pagemap");
        for (unsigned i = 0; i < n; i++, done++) {
            out[done] = (struct look){.present = word[i] & PRESENT,
                                      .frame = (unsigned)(word[i] & PFN_MASK)};
            out[done].swapped = word[i] & SWAPPED;
            out[done].slot = out[done].swapped ? out[done].frame >> 5 : 0;
            if (!out[done].present)
                out[done].frame = 0;
        }
    }
    close(fd);
    for (unsigned i = 0; i < pages; i++)
        if (out[i].present)
            look_at_frame(&out[i]);
}

unsigned frames_of(pid_t pid, const void *at, unsigned pages)
{
    unsigned count = 0;
    struct look l;

    for (unsigned i = 0; i < pages; i++) {
        look(pid, (const char *)at + i * PAGE, 1, &l);
        count += l.present && !l.zero;
    }
    return count;
}

unsigned frame_at(pid_t pid, const void *at)
{
    struct look l;

    look(pid, at, 1, &l);
    return l.frame;
}

/* ---- Pictures ---- */

/* What Faultline also tells of an entry: w writable, a accessed, d dirty. Empty elsewhere. */
static void rights_of(pid_t pid, const char *at, char rights[RIGHTS])
{
    char path[48], line[96];
    FILE *f;

    rights[0] = '\0';
    snprintf(path, sizeof(path), "/proc/%d/pagetable", pid ? pid : getpid());
    f = fopen(path, "r");
    while (f && fgets(line, sizeof(line), f)) {
        unsigned long va = strtoul(line, NULL, 16);

        if (va == ((uintptr_t)at & ~(PAGE - 1)) && strlen(line) > 18)
            strlcpy(rights, line + 15, RIGHTS);
        if (va >= (uintptr_t)at)
            break;
    }
    if (f)
        fclose(f);
}

static void draw_absent(const char *at, unsigned run)
{
    printf("      %08lx  -- nothing", (unsigned long)at);
    if (run > 1)
        printf(" (%u pages)", run);
    putchar('\n');
}

static void draw_present(pid_t pid, const char *at, const struct look *l)
{
    char rights[RIGHTS];

    rights_of(pid, at, rights);
    printf("      %08lx  -> frame %05x %s  ", (unsigned long)at, l->frame, rights);
    if (l->zero)
        printf("the frame of zeros\n");
    else
        printf("mapped %u time%s%s\n", l->mappings, l->mappings == 1 ? "" : "s",
               l->in_swap ? ", and in swap" : "");
}

void picture(const char *title, pid_t pid, const void *at, unsigned pages)
{
    const char *va = at;
    unsigned absent = 0;
    struct look l;

    end_paragraph();
    printf("    %s\n", title);
    for (unsigned i = 0; i < pages; i++, va += PAGE) {
        look(pid, va, 1, &l);
        if (!l.present && !l.swapped) {
            absent++;
            continue;
        }
        if (absent)
            draw_absent(va - absent * PAGE, absent);
        absent = 0;
        if (l.swapped)
            printf("      %08lx  -> swap, slot %u\n", (unsigned long)va, l.slot);
        else
            draw_present(pid, va, &l);
    }
    if (absent)
        draw_absent(va - absent * PAGE, absent);
}

/* ---- Figures ---- */

long number_in(const char *path, const char *word)
{
    FILE *f = fopen(path, "r");
    char line[160];
    long n = -1;

    while (f && n < 0 && fgets(line, sizeof(line), f))
        if (strncmp(line, word, strlen(word)) == 0)
            n = atol(line + strlen(word));
    if (f)
        fclose(f);
    return n;
}

void put_in(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY);

    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        give_up(path);
    close(fd);
}

/* ---- Helpers ---- */

char *map_pages(unsigned pages, int prot, int flags, int fd)
{
    char *p = mmap(NULL, pages * PAGE, prot, fd < 0 ? flags | MAP_ANONYMOUS : flags, fd, 0);

    if (p == MAP_FAILED)
        give_up("mmap");
    return p;
}

int scratch_file(unsigned pages)
{
    static const char path[] = "/tmp/vmlab.scratch";
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    char page[PAGE];

    if (fd < 0)
        give_up(path);
    unlink(path);
    for (unsigned i = 0; i < pages; i++) {
        memset(page, '0' + (int)i, sizeof(page));
        if (write(fd, page, sizeof(page)) != sizeof(page))
            give_up(path);
    }
    return fd;
}

struct child child_start(void (*step)(int number, void *arg), void *arg)
{
    int ask[2], answer[2];
    struct child c;
    char number;

    if (pipe(ask) < 0 || pipe(answer) < 0)
        give_up("pipe");
    fflush(stdout);
    c = (struct child){.pid = fork(), .ask = ask[1], .answer = answer[0]};
    if (c.pid < 0)
        give_up("fork");
    if (c.pid > 0) {
        close(ask[0]);
        close(answer[1]);
        return c;
    }
    close(ask[1]);
    while (read(ask[0], &number, 1) == 1) {
        step(number, arg);
        write(answer[1], &number, 1);
    }
    _exit(0);
}

void child_step(struct child *c, int number)
{
    char byte = (char)number;

    if (write(c->ask, &byte, 1) != 1 || read(c->answer, &byte, 1) != 1)
        give_up("the child");
}

void child_end(struct child *c)
{
    close(c->ask);
    close(c->answer);
    waitpid(c->pid, NULL, 0);
}
