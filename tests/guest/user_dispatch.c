/* prctl(PR_SET_SYSCALL_USER_DISPATCH): calls that a program takes itself, by a selector and a
 * range. */
#include <sys/prctl.h>
#include "guest.h"

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#endif
#define OFF   0
#define ON    1
#define ALLOW 0
#define BLOCK 1

static volatile unsigned char selector;
static volatile int taken, number, code, error, arch, same_place;

static long dispatch(long mode, unsigned long from, unsigned long len, const volatile void *where)
{
    return prctl(PR_SET_SYSCALL_USER_DISPATCH, mode, from, len, where);
}

/* The call is answered in the handler; what it returns is the argument. */
static void on_sigsys(int signo, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;

    (void)signo;
    selector = ALLOW;
    taken++;
    number = info->si_syscall;
    code = info->si_code;
    error = info->si_errno;
    arch = info->si_arch;
    same_place = info->si_call_addr == (void *)uc->uc_mcontext.gregs[REG_EIP];
    uc->uc_mcontext.gregs[REG_EAX] = uc->uc_mcontext.gregs[REG_EBX] + 1;
}

static long call(long nr, long arg)
{
    long ret;

    __asm__ volatile("int $0x80" : "=a"(ret) : "a"(nr), "b"(arg) : "memory");
    return ret;
}

static void show(const char *what)
{
    printf("%s: %d taken, number %d code %d errno %d arch %x place %d\n", what, taken, number, code,
           error, arch, same_place);
    taken = 0;
}

static void errors(void)
{
    SHOW(dispatch(2, 0, 0, NULL));
    SHOW(dispatch(-1, 0, 0, NULL));
    SHOW(dispatch(OFF, 1, 0, NULL));
    SHOW(dispatch(OFF, 0, 1, NULL));
    SHOW(dispatch(OFF, 0, 0, &selector));
    SHOW(dispatch(OFF, 0, 0, NULL));
    SHOW(dispatch(ON, 0x1000, 0, &selector));
    SHOW(dispatch(ON, -0x1000, 0x2000, &selector));
    SHOW(dispatch(ON, 0x1000, 0x1000, (void *)-4096));
}

static void selects(void)
{
    long answer, before;

    selector = ALLOW;
    SHOW(dispatch(ON, 0, 0, &selector));
    before = call(SYS_getpid, 0);
    selector = BLOCK;
    answer = call(SYS_getpid, 41);
    show("getpid");
    printf("answer %ld, before %d\n", answer, before == getpid());
    selector = BLOCK;
    answer = call(4711, 6);
    show("no such call");
    printf("answer %ld\n", answer);
    SHOW(dispatch(OFF, 0, 0, NULL));
    selector = BLOCK;
    answer = call(SYS_getpid, 0);
    printf("off: %d\n", answer == getpid());
}

/* Without a selector, from the program's own code: the C library's calls come from elsewhere. */
static void range(void)
{
    long mine, off;

    selector = ALLOW;
    dispatch(ON, (unsigned long)on_sigsys & ~0xfffff, 0x200000, NULL);
    mine = call(SYS_gettid, 5);
    __asm__ volatile("int $0x80"
                     : "=a"(off)
                     : "a"(SYS_prctl), "b"(PR_SET_SYSCALL_USER_DISPATCH), "c"(OFF), "d"(0), "S"(0),
                       "D"(0)
                     : "memory");
    printf("its own: %d, off %ld, %d taken\n", mine == getpid(), off, taken);
}

static void odd_selector(void *arg)
{
    selector = ALLOW;
    signal(SIGSYS, SIG_IGN);
    dispatch(ON, 0, 0, &selector);
    selector = (unsigned char)(long)arg;
    call(SYS_getpid, 0);
    call(SYS_exit, 7);
}

static void lost_selector(void *arg)
{
    char *p = map_anon(1);

    (void)arg;
    dispatch(ON, 0, 0, p);
    munmap(p, PAGE);
    call(SYS_exit, 7);
}

static void forked(void *arg)
{
    (void)arg;
    selector = BLOCK;
    printf("a child: %d\n", call(SYS_getpid, 0) == getpid());
}

static void in_child_of_user(void *arg)
{
    (void)arg;
    selector = ALLOW;
    dispatch(ON, 0, 0, &selector);
    in_child("grandchild", forked, NULL);
}

int main(void)
{
    struct sigaction act = {.sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO};

    sigaction(SIGSYS, &act, NULL);
    errors();
    selects();
    range();
    in_child("odd selector", odd_selector, (void *)9);
    in_child("blocked and ignored", odd_selector, (void *)BLOCK);
    in_child("lost selector", lost_selector, NULL);
    in_child("child", in_child_of_user, NULL);
    return 0;
}
