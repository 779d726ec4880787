/*
 * What the tests of ptrace share: a tracee that is forked, and what its stops look like in a
 * transcript.
 */
#ifndef TRACING_H
#define TRACING_H

#include <stddef.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include "guest.h"
#include "states.h"

#ifndef PTRACE_EVENT_STOP
#define PTRACE_EVENT_STOP 128
#endif

/* The C library's names for the requests are an enum; those of the machine are not in it. */
__attribute__((unused)) static long trace(int request, pid_t pid, unsigned long addr,
                                          unsigned long data)
{
    return syscall(SYS_ptrace, request, pid, addr, data);
}

/* A word of the tracee, as the system call itself gives it. */
__attribute__((unused)) static unsigned peek(int request, pid_t pid, unsigned long addr)
{
    unsigned value = 0xdeadbeef;

    DIE_UNLESS(trace(request, pid, addr, (unsigned long)&value) == 0);
    return value;
}

#define USER(field) offsetof(struct user, field)

static const char *const event_names[] = {"none", "fork",       "vfork", "clone",
                                          "exec", "vfork done", "exit",  "seccomp"};

__attribute__((unused)) static void show_status(const char *what, int status)
{
    int event = status >> 16;

    if (!WIFSTOPPED(status)) {
        print_status(what, status);
        return;
    }
    printf("%s: stopped by SIG%s%s", what, sigabbrev_np(WSTOPSIG(status) & 0x7f),
           WSTOPSIG(status) & 0x80 ? " (system call)" : "");
    if (event == PTRACE_EVENT_STOP)
        printf(", event stop");
    else if (event)
        printf(", event %s", event < 8 ? event_names[event] : "?");
    putchar('\n');
}

/* Waits for what pid tells next, and shows it. */
__attribute__((unused)) static int await(const char *what, pid_t pid)
{
    int status = 0;
    pid_t got = waitpid(pid, &status, __WALL);

    if (got != pid)
        printf("%s: %s\n", what, got < 0 ? error_name(errno) : "somebody else");
    else
        show_status(what, status);
    return status;
}

/* Forks; the child asks to be traced, stops itself and runs fn. Returns in its first stop. */
__attribute__((unused)) static pid_t tracee(void (*fn)(void))
{
    int status;
    pid_t pid = fork();

    DIE_UNLESS(pid >= 0);
    if (pid == 0) {
        DIE_UNLESS(ptrace(PTRACE_TRACEME, 0, 0, 0) == 0);
        raise(SIGSTOP);
        fn();
        _exit(0);
    }
    DIE_UNLESS(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status));
    return pid;
}

/* A child that runs fn and is not traced yet. */
__attribute__((unused)) static pid_t child(void (*fn)(void))
{
    pid_t pid = fork();

    DIE_UNLESS(pid >= 0);
    if (pid == 0) {
        fn();
        _exit(0);
    }
    return pid;
}

__attribute__((unused)) static void finish(pid_t pid)
{
    int status;

    kill(pid, SIGKILL);
    while (waitpid(pid, &status, __WALL) == pid && !WIFSIGNALED(status) && !WIFEXITED(status))
        ;
}

__attribute__((unused)) static void idle(void)
{
    for (;;)
        pause();
}

#endif
