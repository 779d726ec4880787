/*
 * What guest tests share. A test is an ordinary Linux program that prints a transcript; it passes
 * when the transcript on Faultline is the one that the same binary prints on Linux. So nothing that
 * differs from run to run is printed: no process ids, no addresses, no times.
 *
 * A test that sets what belongs to the whole machine (the clock, a limit in /proc/sys) says so with
 * CHANGES_THE_MACHINE: it never runs on the machine of whoever starts the tests; its kept
 * transcript says what is right.
 *
 * Tests named hostile_* would hurt the machine they run on: only Faultline runs them, and what they
 * print is compared with NAME.expected.
 */
#ifndef GUEST_H
#define GUEST_H

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096

#define CHANGES_THE_MACHINE(what) _Static_assert(sizeof(what) > 1, "say what")

/* Unbuffered, so that output and fork go together. Runs before main. */
__attribute__((constructor)) static void guest_start(void)
{
    setvbuf(stdout, NULL, _IONBF, 0);
}

__attribute__((unused)) static const char *error_name(int error)
{
    return error ? strerrorname_np(error) : "ok";
}

/* What a call returned, as text until the next one: its result, or the error. */
__attribute__((unused)) static const char *answer_of(long r)
{
    static char text[24];

    if (r < 0)
        return error_name(errno);
    snprintf(text, sizeof(text), "%ld", r);
    return text;
}

/* Prints what a call returned: its result where it has a meaning of its own, or the error. */
#define SHOW(call)                                                                                 \
    do {                                                                                           \
        errno = 0;                                                                                 \
        long r_ = (long)(call);                                                                    \
        if (r_ == -1)                                                                              \
            printf("%s: %s\n", #call, error_name(errno));                                          \
        else                                                                                       \
            printf("%s: %ld\n", #call, r_);                                                        \
    } while (0)

/* The same for calls whose result is an address or otherwise not for the transcript. */
#define TRY(call)                                                                                  \
    do {                                                                                           \
        errno = 0;                                                                                 \
        printf("%s: %s\n", #call, (long)(call) == -1 ? error_name(errno) : "ok");                  \
    } while (0)

#define DIE_UNLESS(cond)                                                                           \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            printf("line %d: %s failed: %s\n", __LINE__, #cond, error_name(errno));                \
            exit(99);                                                                              \
        }                                                                                          \
    } while (0)

__attribute__((unused)) static void print_status(const char *what, int status)
{
    if (WIFEXITED(status))
        printf("%s: exit %d\n", what, WEXITSTATUS(status));
    else if (WIFSIGNALED(status))
        printf("%s: killed by SIG%s\n", what, sigabbrev_np(WTERMSIG(status)));
    else if (WIFSTOPPED(status))
        printf("%s: stopped by SIG%s\n", what, sigabbrev_np(WSTOPSIG(status)));
    else
        printf("%s: status %x\n", what, status);
}

/* Runs fn(arg) in a child and prints how it ended. */
__attribute__((unused)) static int in_child(const char *what, void (*fn)(void *), void *arg)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        fn(arg);
        _exit(0);
    }
    DIE_UNLESS(pid > 0);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    print_status(what, status);
    return status;
}

/* Writes a setting below /proc/sys. */
__attribute__((unused)) static const char *put_setting(const char *name, const char *value)
{
    char path[100];
    const char *outcome;
    int fd;

    snprintf(path, sizeof(path), "/proc/sys/%s", name);
    fd = open(path, O_WRONLY);
    DIE_UNLESS(fd >= 0);
    outcome = write(fd, value, strlen(value)) < 0 ? error_name(errno) : "ok";
    close(fd);
    return outcome;
}

/* The number that a file shows; its path is made as by printf. */
__attribute__((unused, format(printf, 1, 2))) static long number_in(const char *format, ...)
{
    char path[100], text[32] = "";
    va_list ap;
    int fd;

    va_start(ap, format);
    vsnprintf(path, sizeof(path), format, ap);
    va_end(ap);
    fd = open(path, O_RDONLY);
    DIE_UNLESS(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0);
    close(fd);
    return atol(text);
}

/* ---- Accesses that may fault ---- */

static sigjmp_buf fault_jump;
static siginfo_t fault_info;

static void on_fault(int signo, siginfo_t *info, void *context)
{
    (void)signo;
    (void)context;
    fault_info = *info;
    siglongjmp(fault_jump, 1);
}

__attribute__((unused)) static void catch_faults(void)
{
    struct sigaction act = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};

    sigaction(SIGSEGV, &act, NULL);
    sigaction(SIGBUS, &act, NULL);
}

static const char *fault_code(void)
{
    if (fault_info.si_signo == SIGBUS)
        return fault_info.si_code == BUS_ADRERR ? "SIGBUS ADRERR" : "SIGBUS other code";
    return fault_info.si_code == SEGV_MAPERR   ? "SIGSEGV MAPERR"
           : fault_info.si_code == SEGV_ACCERR ? "SIGSEGV ACCERR"
                                               : "SIGSEGV other code";
}

/* Reads or writes one byte and tells what came of it; catch_faults() comes first. */
__attribute__((unused, noinline)) static void probe(const char *what, volatile void *at, bool write)
{
    volatile unsigned char *p = at;
    unsigned char value = 0;

    if (sigsetjmp(fault_jump, 1)) {
        printf("%s %s: %s, si_addr %s\n", write ? "write" : "read", what, fault_code(),
               fault_info.si_addr == at ? "right" : "wrong");
        return;
    }
    if (write)
        *p = 0x5a;
    else
        value = *p;
    printf("%s %s: ok %d\n", write ? "write" : "read", what, value);
}

#define PROBE_READ(at)  probe(#at, (at), false)
#define PROBE_WRITE(at) probe(#at, (at), true)

/* A mapping that must succeed. */
__attribute__((unused)) static char *map(size_t len, int prot, int flags, int fd, off_t offset)
{
    char *p = mmap(NULL, len, prot, flags, fd, offset);

    DIE_UNLESS(p != MAP_FAILED);
    return p;
}

__attribute__((unused)) static char *map_anon(size_t pages)
{
    return map(pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* A fresh file in the current directory with every page filled with a letter of its own. */
__attribute__((unused)) static int make_file(const char *name, size_t size)
{
    int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
    char page[PAGE];

    DIE_UNLESS(fd >= 0);
    for (size_t done = 0; done < size; done += PAGE) {
        memset(page, 'a' + done / PAGE % 26, PAGE);
        DIE_UNLESS(write(fd, page, size - done < PAGE ? size - done : PAGE) > 0);
    }
    return fd;
}

__attribute__((unused)) static bool all_bytes(const char *p, size_t n, char c)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] != c)
            return false;
    return true;
}

/* Pages of private memory, each beginning with a letter of its own. */
__attribute__((unused)) static char *letters(int pages)
{
    char *p = map_anon(pages);

    for (int i = 0; i < pages; i++)
        p[i * PAGE] = 'a' + i;
    return p;
}

/* The first byte of each page: '0' for zero, '.' where there is none; catch_faults() comes first.
 */
__attribute__((unused, noinline)) static void show_pages(const char *what, const char *p, int pages)
{
    printf("%s: ", what);
    for (volatile int i = 0; i < pages; i++) {
        if (sigsetjmp(fault_jump, 1))
            putchar(fault_info.si_signo == SIGBUS ? '!' : '.');
        else
            putchar(p[i * PAGE] ? p[i * PAGE] : '0');
    }
    putchar('\n');
}

#endif
