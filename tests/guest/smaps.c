/*
 * What /proc tells of memory is what the page tables hold: a process with every kind of area, and
 * its forked child, are recounted page by page from pagemap and kpagecount and compared with smaps
 * and smaps_rollup. Figures that a Linux keeps only nearly (statm, status) are compared on
 * Faultline.
 */
#include <poll.h>
#include "guest.h"

#define TEXT_MAX  (256 * 1024)
#define PAGES     16
#define PM_FILE   (1ull << 61)
#define PRESENT   (1ull << 63)
#define PFN_MASK  ((1ull << 55) - 1)
#define KPF_ZERO  (1ull << 24)
#define PSS_SHIFT 12

struct figures {
    unsigned long rss, shared, private, anonymous;
    unsigned long long pss; /* in 1/4096 bytes; from smaps in KiB */
};

static char text[TEXT_MAX];
static bool exact;      /* Faultline: every figure is kept to the page */
static bool see_frames; /* the frame numbers may be seen */

/* ---- The subject: a process and its child ---- */

static void touch(char *p, unsigned first, unsigned end, bool write)
{
    for (unsigned i = first; i < end; i++) {
        if (write)
            ((volatile char *)p)[i * PAGE] = 'w';
        else
            (void)((volatile char *)p)[i * PAGE];
    }
}

static char *anon, *shared, *file_private, *file_shared, *none;

static void set_up(void)
{
    int fd = make_file("smaps.file", PAGES * PAGE);

    anon = map_anon(PAGES);
    shared = map(PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    file_private = map(PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    file_shared = map(PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    none = map_anon(PAGES);
    touch(anon, 0, 9, true);
    touch(anon, 9, 12, false);
    touch(shared, 0, 5, true);
    touch(file_private, 0, 4, true);
    touch(file_private, 4, 7, false);
    touch(file_shared, 2, 8, false);
    touch(file_shared, 3, 5, true);
    touch(none, 0, 4, true);
    mprotect(none, PAGES * PAGE, PROT_NONE);
}

static void be_child(void)
{
    touch(anon, 0, 3, true);
    touch(anon, 3, 6, false);
    touch(shared, 2, 8, false);
    touch(file_private, 0, 2, true);
    touch(file_shared, 0, 4, false);
}

/* Tells its pid and waits to be killed. */
static void report_and_wait(int fd)
{
    pid_t me = getpid();

    DIE_UNLESS(write(fd, &me, sizeof(me)) == sizeof(me));
    for (;;)
        pause();
}

/* Until it sleeps: what it touches on the way there is touched. */
static void await_sleep(pid_t pid)
{
    char path[32], line[128], state = '?';
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    while (state != 'S') {
        DIE_UNLESS((f = fopen(path, "r")) && fgets(line, sizeof(line), f));
        fclose(f);
        DIE_UNLESS(sscanf(line, "%*d (%*[^)]) %c", &state) == 1);
        usleep(1000);
    }
}

static pid_t start_subjects(pid_t *child)
{
    int fds[2];
    pid_t first, pid;

    DIE_UNLESS(pipe(fds) == 0);
    first = fork();
    if (first == 0) {
        set_up();
        if (fork() == 0) {
            be_child();
            report_and_wait(fds[1]);
        }
        report_and_wait(fds[1]);
    }
    for (int i = 0; i < 2; i++) {
        DIE_UNLESS(read(fds[0], &pid, sizeof(pid)) == sizeof(pid));
        if (pid != first)
            *child = pid;
        await_sleep(pid);
    }
    return first;
}

/* ---- Reading ---- */

static void read_text(pid_t pid, const char *name)
{
    char path[64];
    ssize_t n;
    size_t used = 0;
    int fd;

    snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
    fd = open(path, O_RDONLY);
    DIE_UNLESS(fd >= 0);
    while ((n = read(fd, text + used, TEXT_MAX - 1 - used)) > 0)
        used += n;
    text[used] = '\0';
    close(fd);
}

static unsigned long field(const char *from, const char *end, const char *name)
{
    const char *p = strstr(from, name);

    return p && (!end || p < end) ? strtoul(p + strlen(name), NULL, 10) : 0;
}

static struct figures figures_of(const char *from, const char *end)
{
    struct figures f = {
        .rss = field(from, end, "\nRss:"),
        .pss = field(from, end, "\nPss:"),
        .shared = field(from, end, "\nShared_Clean:") + field(from, end, "\nShared_Dirty:"),
        .private = field(from, end, "\nPrivate_Clean:") + field(from, end, "\nPrivate_Dirty:"),
        .anonymous = field(from, end, "\nAnonymous:"),
    };
    return f;
}

static uint64_t word_at(const char *path, uint64_t index)
{
    uint64_t word = 0;
    int fd = open(path, O_RDONLY);

    if (fd >= 0) {
        DIE_UNLESS(pread(fd, &word, sizeof(word), index * sizeof(word)) == sizeof(word));
        close(fd);
    }
    return word;
}

static void count_page(struct figures *f, uint64_t entry)
{
    uint64_t frame = entry & PFN_MASK, mappings;

    if (!(entry & PRESENT))
        return;
    if (see_frames && (word_at("/proc/kpageflags", frame) & KPF_ZERO))
        return;
    mappings = see_frames ? word_at("/proc/kpagecount", frame) : 1;
    f->rss += PAGE / 1024;
    f->anonymous += entry & PM_FILE ? 0 : PAGE / 1024;
    *(mappings > 1 ? &f->shared : &f->private) += PAGE / 1024;
    if (mappings)
        f->pss += ((unsigned long long)PAGE << PSS_SHIFT) / mappings;
}

static struct figures recount(pid_t pid, unsigned long start, unsigned long end)
{
    static uint64_t entries[512];
    struct figures f = {0};
    char path[64];
    int fd;

    snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
    fd = open(path, O_RDONLY);
    DIE_UNLESS(fd >= 0);
    for (uint64_t page = start / PAGE; page < end / PAGE;) {
        ssize_t n = pread(fd, entries, sizeof(entries), page * sizeof(entries[0]));

        DIE_UNLESS(n > 0);
        for (unsigned i = 0; i < n / sizeof(entries[0]) && page < end / PAGE; i++, page++)
            count_page(&f, entries[i]);
    }
    close(fd);
    return f;
}

/* ---- Comparing ---- */

struct wrong {
    unsigned areas, rss, pss, shared, private, anonymous;
};

static void add(struct figures *sum, const struct figures *f)
{
    sum->rss += f->rss;
    sum->pss += f->pss;
    sum->shared += f->shared;
    sum->private += f->private;
    sum->anonymous += f->anonymous;
}

static void compare(const struct figures *told, const struct figures *counted, struct wrong *w)
{
    w->areas++;
    w->rss += told->rss != counted->rss;
    w->anonymous += told->anonymous != counted->anonymous;
    if (!see_frames)
        return;
    w->pss += told->pss != counted->pss >> (PSS_SHIFT + 10);
    w->shared += told->shared != counted->shared;
    w->private += told->private != counted->private;
}

/* Linux's own areas have no page-table entries of the usual kind. */
static bool is_special(const char *line)
{
    const char *end = strchr(line, '\n'), *p = strstr(line, "[v");

    return p && p < end;
}

/* Every area of smaps against a recount; the sum of the recounts. */
static struct figures compare_areas(pid_t pid, struct wrong *w)
{
    struct figures sum = {0};
    char *line, *next;

    read_text(pid, "smaps");
    for (line = text; line && *line; line = next) {
        unsigned long start, end;
        struct figures told, counted;

        if (sscanf(line, "%lx-%lx", &start, &end) != 2)
            return sum;
        next = strstr(line, "VmFlags:");
        next = next ? strchr(next, '\n') + 1 : NULL;
        if (!exact && is_special(line))
            continue;
        told = figures_of(line, next);
        counted = recount(pid, start, end);
        compare(&told, &counted, w);
        add(&sum, &counted);
    }
    return sum;
}

static void show(const char *who, const char *what, unsigned wrong)
{
    printf("%s: %s %s\n", who, what, wrong ? "WRONG" : "right");
}

/* What is kept as counters, and what is summed up otherwise. */
static void compare_totals(pid_t pid, const char *who, const struct figures *sum)
{
    unsigned long rss, file, resident, of_file;
    struct figures told;

    read_text(pid, "smaps_rollup");
    told = figures_of(text, NULL);
    show(who, "rollup", exact && (told.rss != sum->rss || told.pss != sum->pss >> 22));
    read_text(pid, "status");
    rss = field(text, NULL, "\nVmRSS:");
    file = field(text, NULL, "\nRssFile:") + field(text, NULL, "\nRssShmem:");
    show(who, "status", exact && (rss != sum->rss || file != sum->rss - sum->anonymous));
    read_text(pid, "statm");
    DIE_UNLESS(sscanf(text, "%*u %lu %lu", &resident, &of_file) == 2);
    show(who, "statm", exact && (resident * 4 != sum->rss || of_file * 4 != file));
}

static void inspect(pid_t pid, const char *who)
{
    struct wrong w = {0}, warm_up = {0};
    struct figures sum;

    compare_areas(pid, &warm_up);
    sum = compare_areas(pid, &w);
    show(who, "some areas", w.areas < 6);
    show(who, "rss", w.rss);
    show(who, "pss", w.pss);
    show(who, "shared", w.shared);
    show(who, "private", w.private);
    show(who, "anonymous", w.anonymous);
    compare_totals(pid, who, &sum);
}

int main(void)
{
    volatile char *page = map_anon(1);
    uint64_t entry;
    pid_t first, child = 0;

    exact = access("/proc/faults", F_OK) == 0;
    *page = 1;
    entry = word_at("/proc/self/pagemap", (uintptr_t)page / PAGE);
    see_frames = (entry & PFN_MASK) && access("/proc/kpagecount", R_OK) == 0;
    first = start_subjects(&child);
    inspect(first, "parent");
    inspect(child, "child");
    kill(child, SIGKILL);
    kill(first, SIGKILL);
    return 0;
}
