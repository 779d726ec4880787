/*
 * From the first instruction to main and from exit to the last: owns environ, errno and the list
 * of exit functions.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "libc/user/number.h"

#define ATEXIT_MAX 32

int errno;
char **environ;

static void (*exit_fns[ATEXIT_MAX])(void);
static int n_exit_fns;

int main(int argc, char **argv, char **envp);

_Noreturn void libc_start(long *stack)
{
    int argc = stack[0];
    char **argv = (char **)&stack[1];

    environ = argv + argc + 1;
    exit(main(argc, argv, environ));
}

int atexit(void (*fn)(void))
{
    if (n_exit_fns == ATEXIT_MAX)
        return -1;
    exit_fns[n_exit_fns++] = fn;
    return 0;
}

_Noreturn void exit(int status)
{
    while (n_exit_fns)
        exit_fns[--n_exit_fns]();
    fflush(NULL);
    _exit(status);
}

_Noreturn void _exit(int status)
{
    for (;;)
        syscall(NR_exit_group, status);
}

_Noreturn void abort(void)
{
    signal(SIGABRT, SIG_DFL);
    raise(SIGABRT);
    _exit(127);
}

_Noreturn void assert_failed(const char *expr, const char *file, int line)
{
    fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, expr);
    abort();
}
