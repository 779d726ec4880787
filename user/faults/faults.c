/*
 * faults COMMAND...: runs a command and tells why each of its page faults happened, from the
 * kernel's trace in /proc/faults, and how many there were of each kind.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "user/shared/event.h"
#include "user/shared/watch.h"

#define PROCS_GROW   256
#define POLL_NS      20000000
#define COMMAND_FAIL 127

static const char usage[] =
    "usage: faults [-q] [-o FILE] COMMAND [ARG...]\n"
    "\n"
    "Runs COMMAND and prints, on standard error, each page fault that it and its children take:\n"
    "when, who, which address, and what the kernel did about it. At the end it prints how many\n"
    "faults there were of each kind and what they cost in processor cycles.\n"
    "\n"
    "  -q       only the totals\n"
    "  -o FILE  the kernel's lines as they are, for scripts/vmpicture\n"
    "\n"
    "The exit status is the command's, 127 when it could not be run.\n";

static struct {
    struct watch trace;
    FILE *raw;  /* -o */
    bool quiet; /* -q */
    int *pids;  /* the command, and its children as they show up */
    unsigned count;
    struct total total[MAX_CASES];
    unsigned lost;
} f;

/* ---- Whose faults count ---- */

static bool is_ours(int pid)
{
    for (unsigned i = f.count; i > 0; i--) /* the youngest are the likeliest */
        if (f.pids[i - 1] == pid)
            return true;
    return false;
}

static void add_pid(int pid)
{
    if (is_ours(pid))
        return;
    if (f.count % PROCS_GROW == 0)
        f.pids = realloc(f.pids, (f.count + PROCS_GROW) * sizeof(f.pids[0]));
    if (!f.pids) {
        fprintf(stderr, "faults: out of memory\n");
        exit(1);
    }
    f.pids[f.count++] = pid;
}

/* ---- The trace ---- */

static void print_event(const struct event *e)
{
    char why[128];

    event_reason(e, why, sizeof(why));
    fprintf(stderr, "%12s  pid %-5d %-5s %08lx  %s\n", e->time, e->pid, e->write ? "write" : "read",
            e->addr, why);
}

static void take_line(void *ctx, const char *line)
{
    unsigned lost = 0;
    struct event e;

    (void)ctx;
    if (event_lost(line, &lost))
        f.lost += lost;
    if (!event_parse(line, &e) || (!is_ours(e.pid) && !is_ours(e.parent)))
        return;
    add_pid(e.pid);
    event_count(&e, f.total);
    if (f.raw)
        fprintf(f.raw, "%s\n", line);
    if (!f.quiet)
        print_event(&e);
}

/* Takes what the trace has gained since the last call. */
static void drain(void)
{
    (void)watch_drain(&f.trace, take_line, NULL);
}

/* ---- The command ---- */

static int start(char **argv)
{
    int pid = fork();

    if (pid == 0) {
        execvp(argv[0], argv);
        fprintf(stderr, "faults: %s: %s\n", argv[0], strerror(errno));
        _exit(COMMAND_FAIL);
    }
    return pid;
}

static int follow(int pid)
{
    struct timespec pause = {.tv_nsec = POLL_NS};
    int status = 0, got;

    while ((got = waitpid(pid, &status, WNOHANG)) == 0 || (got < 0 && errno == EINTR)) {
        drain();
        nanosleep(&pause, NULL);
    }
    drain();
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void print_totals(void)
{
    struct total all = totals_sum(f.total);

    fprintf(stderr, "\n%u page faults, %u of them major, by %u process%s; %lu cycles in each\n",
            all.count, all.major, f.count, f.count == 1 ? "" : "es",
            all.count ? (unsigned long)(all.cycles / all.count) : 0);
    totals_print(f.total, stderr);
    if (f.lost)
        fprintf(stderr, "%u faults of all processes came too fast to be seen\n", f.lost);
}

static int take_options(int argc, char **argv)
{
    int i = 1;

    for (; i < argc && argv[i][0] == '-'; i++) {
        if (strcmp(argv[i], "-q") == 0) {
            f.quiet = true;
        } else if (strcmp(argv[i], "-o") == 0 && i + 1 < argc) {
            f.raw = fopen(argv[++i], "w");
            if (!f.raw) {
                perror(argv[i]);
                exit(1);
            }
        } else {
            break;
        }
    }
    if (i >= argc || argv[i][0] == '-') {
        bool asked = i < argc && (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0);

        fputs(usage, asked ? stdout : stderr);
        exit(asked ? 0 : 2);
    }
    return i;
}

int main(int argc, char **argv)
{
    int first = take_options(argc, argv), pid, status;

    if (!watch_open(&f.trace)) {
        fprintf(stderr, "faults: %s: %s%s\n", WATCH_TRACE, strerror(errno),
                errno == ENOENT ? " (only Faultline has it)" : "");
        return 1;
    }
    pid = start(argv + first);
    if (pid < 0) {
        perror("faults: fork");
        return 1;
    }
    add_pid(pid);
    status = follow(pid);
    watch_say(&f.trace, "0");
    drain();
    watch_say(&f.trace, "-1");
    print_totals();
    if (f.raw)
        fclose(f.raw);
    return status;
}
