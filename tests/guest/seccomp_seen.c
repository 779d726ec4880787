/* What a tracer learns of filters: PTRACE_SECCOMP_GET_FILTER and GET_METADATA. */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include "tracing.h"

#define GET_FILTER   0x420c
#define GET_METADATA 0x420d

struct metadata {
    unsigned long long nth, flags;
};

static void add_filter(unsigned n, unsigned flags)
{
    struct sock_filter code[8];
    struct sock_fprog p = {(unsigned short)n, code};

    for (unsigned i = 0; i + 1 < n; i++)
        code[i] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_IMM, i);
    code[n - 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    DIE_UNLESS(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &p) == 0);
}

static pid_t filtered(int filters)
{
    pid_t pid = fork();

    if (pid == 0) {
        trace(PTRACE_TRACEME, 0, 0, 0);
        if (filters > 0)
            add_filter(2, 0);
        if (filters > 1)
            add_filter(4, SECCOMP_FILTER_FLAG_LOG);
        raise(SIGSTOP);
        _exit(0);
    }
    DIE_UNLESS(waitpid(pid, NULL, 0) == pid);
    return pid;
}

static void end_it(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void show_filter(pid_t pid, unsigned nth)
{
    struct sock_filter code[8];
    long n = trace(GET_FILTER, pid, nth, (unsigned long)code);

    printf("filter %u: %ld", nth, n);
    for (long i = 0; i < n; i++)
        printf(" %x/%x", code[i].code, code[i].k);
    printf(n < 0 ? " %s\n" : "\n", error_name(errno));
}

static void show_metadata(pid_t pid, unsigned long long nth, unsigned size)
{
    struct metadata m = {nth, 0x55};
    long n;

    errno = 0;
    n = trace(GET_METADATA, pid, size, (unsigned long)&m);
    printf("metadata %llu, %u bytes: %ld %s, flags %llx\n", nth, size, n, error_name(errno),
           m.flags);
}

static void as_nobody(void *unused)
{
    pid_t pid;

    (void)unused;
    DIE_UNLESS(setuid(65534) == 0);
    pid = filtered(0);
    SHOW(trace(GET_FILTER, pid, 0, 0));
    show_metadata(pid, 0, 16);
    end_it(pid);
}

int main(void)
{
    pid_t pid = filtered(2);

    for (unsigned i = 0; i < 3; i++)
        show_filter(pid, i);
    SHOW(trace(GET_FILTER, pid, 1, 0));
    SHOW(trace(GET_FILTER, pid, 1, 8));
    SHOW(trace(GET_FILTER, pid, ~0ul, 0));
    for (unsigned i = 0; i < 3; i++)
        show_metadata(pid, i, 16);
    show_metadata(pid, 1, 8);
    show_metadata(pid, 1, 7);
    show_metadata(pid, 1, 100);
    SHOW(trace(GET_METADATA, pid, 16, 8));
    end_it(pid);
    pid = filtered(0);
    show_filter(pid, 0);
    show_metadata(pid, 0, 16);
    end_it(pid);
    in_child("nobody", as_nobody, NULL);
    return 0;
}
