/* Protection: guard pages, and what the TLB must forget. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "user/vmlab/lab.h"

#define LOG_ALL     3 /* klogctl */
#define LOG_BYTES   65536
#define SEGV_MAPERR 1
#define SEGV_ACCERR 2

/* What a child's access came to: in a page that it shares with the parent. */
struct outcome {
    volatile char *at;
    volatile int code;
    void *volatile addr;
};

static struct outcome *result;

static void on_fault(int signo, siginfo_t *info, void *context)
{
    (void)signo, (void)context;
    result->code = info->si_code;
    result->addr = info->si_addr;
    _exit(0);
}

/* The si_code of the fault that a write to at causes, 0 when it causes none. */
static int try_write(volatile char *at)
{
    struct sigaction act = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};

    if (!result)
        result = (struct outcome *)map_pages(1, PROT_READ | PROT_WRITE, MAP_SHARED, -1);
    result->code = 0;
    result->addr = NULL;
    fflush(stdout);
    if (fork() == 0) {
        sigaction(SIGSEGV, &act, NULL);
        *at = 1;
        _exit(0);
    }
    wait(NULL);
    return result->code;
}

void lab_guard(void)
{
    char *p = map_pages(4, PROT_READ | PROT_WRITE, MAP_PRIVATE, -1);

    memset(p, 'x', 4 * PAGE);
    mprotect(p + 2 * PAGE, PAGE, PROT_NONE);
    say("Of four pages the third was made PROT_NONE. Its contents stay, its entry goes:");
    picture("After:", 0, p, 4);
    check("a write before it", try_write(p + 2 * PAGE - 1), 0);
    check("a write into it: SEGV_ACCERR", try_write(p + 2 * PAGE), SEGV_ACCERR);
    check_that("the address that the signal tells is right", result->addr == p + 2 * PAGE, true);
    munmap(p + 2 * PAGE, PAGE);
    check("a write after munmap: SEGV_MAPERR", try_write(p + 2 * PAGE), SEGV_MAPERR);
    check("a write behind it", try_write(p + 3 * PAGE), 0);
}

void lab_tlb(void)
{
    int fd = scratch_file(2);
    volatile char *p = map_pages(1, PROT_READ | PROT_WRITE, MAP_PRIVATE, -1);
    volatile char *q = map_pages(1, PROT_READ, MAP_PRIVATE, fd);

    p[0] = 'x';
    say("The processor remembers translations in its TLB. When the kernel changes an entry it "
        "must");
    say("make it forget the old one. A page is written to, so that its entry is in the TLB, then");
    say("made read-only:");
    picture("Before:", 0, (void *)p, 1);
    mprotect((void *)p, PAGE, PROT_READ);
    picture("After mprotect(PROT_READ):", 0, (void *)p, 1);
    say("With a stale entry the next write would go through. It must fault:");
    check("the write's signal: SEGV_ACCERR", try_write(p), SEGV_ACCERR);
    say("An address that shows page 0 of a file is mapped anew to show page 1. With a stale entry");
    say("it would still read the old page:");
    check("it reads", q[0], '0');
    if (mmap((void *)q, PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, PAGE) == MAP_FAILED)
        give_up("mmap");
    check("and then", q[0], '1');
    say("After fork the parent's entry must have lost the right to write, or its next write would");
    say("be seen by the child (experiment cow shows that it is not).");
}

/* The log's last line about the process, or NULL. */
static const char *log_line(pid_t pid)
{
    static char log[LOG_BYTES];
    char start[24], *line = NULL;
    int n = klogctl(LOG_ALL, log, sizeof(log) - 1);

    log[n > 0 ? n : 0] = '\0';
    snprintf(start, sizeof(start), "pid %d vmlab:", pid);
    for (char *p = log; (p = strstr(p, start)); p++)
        line = p;
    if (line)
        line[strcspn(line, "\n")] = '\0';
    return line;
}

void lab_crash(void)
{
    volatile char *end = sbrk(PAGE);
    const char *line;
    int status = 0;
    pid_t pid;

    say("A child writes three pages behind the end of its heap and is killed.");
    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        end[4 * PAGE] = 1;
        _exit(0);
    }
    waitpid(pid, &status, 0);
    line = log_line(pid);
    check("signal that killed it: SIGSEGV", WTERMSIG(status), SIGSEGV);
    check_that("the log has a line about it", line != NULL, true);
    if (!line)
        return;
    say("%s", line);
    check_that("it tells what was done", strstr(line, "write to unmapped page") != NULL, true);
    check_that("and the nearest memory", strstr(line, "nearest mapping heap") != NULL, true);
}
