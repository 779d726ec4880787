/*
 * rseq: registering and its errors; a section that a signal or another thread interrupts goes on at
 * its abort address, one that nothing interrupts does not; fork, threads, exec; what makes no sense
 * is SIGSEGV.
 */
#include "guest.h"
#include <sched.h>
#include <sys/ptrace.h>
#include <sys/rseq.h>

#define SIGNATURE 0x53053053u

struct area {
    unsigned cpu_start, cpu;
    unsigned long long section;
    unsigned flags, rest[3];
} __attribute__((aligned(32)));

struct section {
    unsigned version, flags;
    unsigned long long start, length, abort;
} __attribute__((aligned(32)));

static struct area area, other;
static struct section section;

static long rseq(void *at, unsigned size, unsigned flags, unsigned signature)
{
    return syscall(386, at, size, flags, signature);
}

static void unregister_library(void)
{
    char *tp = __builtin_thread_pointer();

    if (__rseq_size)
        DIE_UNLESS(rseq(tp + __rseq_offset, 32, 1, RSEQ_SIG) == 0);
}

static void title(const char *what)
{
    printf("-- %s\n", what);
}

/*
 * A section that spins until *stop or until it was aborted; 1: it was aborted. The abort address
 * lies behind the signature.
 */
static int spin(volatile int *stop, unsigned long turns)
{
    int aborted = 0;

    section.version = 0;
    __asm__ volatile(
        "movl $1f, %[start]\n\t"
        "movl $2f - 1f, %[length]\n\t"
        "movl $4f, %[abort]\n\t"
        "movl $section, %[armed]\n\t"
        "1: cmpl $0, %[stop]\n\t"
        "jne 2f\n\t"
        "decl %[turns]\n\t"
        "jnz 1b\n\t"
        "2: jmp 5f\n\t"
        ".long 0x53053053\n\t"
        "4: movl $1, %[aborted]\n\t"
        "5: movl $0, %[armed]\n\t"
        : [start] "=m"(section.start), [length] "=m"(section.length), [abort] "=m"(section.abort),
          [armed] "=m"(area.section), [aborted] "+r"(aborted), [turns] "+r"(turns)
        : [stop] "m"(*stop)
        : "memory", "cc");
    return aborted;
}

static volatile int handled, never;

static void on_alarm(int signo)
{
    (void)signo;
    handled = 1;
}

static void registering(void)
{
    title("registering");
    SHOW(rseq(&area, 31, 0, SIGNATURE));
    SHOW(rseq(&area, 32, 2, SIGNATURE));
    SHOW(rseq((char *)&area + 4, 32, 0, SIGNATURE));
    SHOW(rseq((void *)0xc0000000, 32, 0, SIGNATURE));
    SHOW(rseq(&area, 32, 1, SIGNATURE));
    SHOW(rseq(NULL, 32, 1, SIGNATURE));
    area.cpu = 7;
    SHOW(rseq(&area, 32, 0, SIGNATURE));
    SHOW(area.cpu);
    SHOW(area.cpu_start);
    SHOW(rseq(&area, 32, 0, SIGNATURE));
    SHOW(rseq(&area, 32, 0, SIGNATURE + 1));
    SHOW(rseq(&other, 32, 0, SIGNATURE));
    SHOW(rseq(&other, 32, 1, SIGNATURE));
    SHOW(rseq(&area, 31, 1, SIGNATURE));
    SHOW(rseq(&area, 32, 1, SIGNATURE + 1));
    SHOW(rseq(&area, 32, 1, SIGNATURE));
    SHOW(area.cpu);
    SHOW(rseq(&area, 32, 1, SIGNATURE));
    SHOW(rseq(&area, 32, 0, SIGNATURE));
}

static void interrupted(void)
{
    struct itimerval soon = {.it_value.tv_usec = 50000};
    long aborted;
    pid_t child;

    title("interrupted");
    signal(SIGALRM, on_alarm);
    DIE_UNLESS(setitimer(ITIMER_REAL, &soon, NULL) == 0);
    do
        aborted = spin(&handled, ~0ul);
    while (aborted && !handled); /* that was another thread, which ran meanwhile */
    SHOW(aborted);
    SHOW(handled);
    SHOW(area.section != 0);
    SHOW(spin(&handled, ~0ul)); /* ends at once */
    title("by another process");
    child = fork();
    DIE_UNLESS(child >= 0);
    if (child == 0)
        for (;;)
            ;
    SHOW(spin(&never, ~0ul));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

static int status_of(int (*fn)(void))
{
    int status;
    pid_t child = fork();

    DIE_UNLESS(child >= 0);
    if (child == 0)
        _exit(fn());
    DIE_UNLESS(waitpid(child, &status, 0) == child);
    return status;
}

static int registered(void)
{
    return rseq(&area, 32, 0, SIGNATURE) == 0 ? 0 : errno;
}

static int thread_of_vm(void *arg)
{
    (void)arg;
    return rseq(&other, 32, 0, SIGNATURE) == 0 ? 0 : errno;
}

static void kept(void)
{
    static char stack[16384];
    int status;
    pid_t child;

    title("kept");
    SHOW(WEXITSTATUS(status_of(registered)) == EBUSY);
    child = clone(thread_of_vm, stack + sizeof(stack), CLONE_VM | SIGCHLD, NULL);
    DIE_UNLESS(child > 0 && waitpid(child, &status, 0) == child);
    SHOW(WEXITSTATUS(status));
}

static void arm(unsigned version, unsigned long long start, unsigned long long length,
                unsigned long long abort)
{
    signal(SIGALRM, on_alarm);
    section =
        (struct section){.version = version, .start = start, .length = length, .abort = abort};
    area.section = (unsigned long)&section;
    raise(SIGALRM);
    _exit(area.section != 0);
}

__asm__("nosign: .long 0x12345678\naborted: nop\n.long 0x53053053\nsigned_abort: nop\n");
extern char aborted[], signed_abort[];

static int elsewhere(void)
{
    arm(0, 0x10000, 16, (unsigned long)signed_abort);
    return 9;
}
static int version(void)
{
    arm(1, 0x10000, 16, (unsigned long)signed_abort);
    return 9;
}
static int unsigned_abort(void)
{
    arm(0, 0x10000, 16, (unsigned long)aborted);
    return 9;
}
static int above(void)
{
    arm(0, 0xffff0000, 16, (unsigned long)signed_abort);
    return 9;
}
static int wide(void)
{
    arm(0, 1ull << 32, 16, (unsigned long)signed_abort);
    return 9;
}
static int longer(void)
{
    arm(0, 0x10000, 1ull << 40, (unsigned long)signed_abort);
    return 9;
}
static int inside(void)
{
    arm(0, (unsigned long)signed_abort - 8, 16, (unsigned long)signed_abort);
    return 9;
}
static int unmapped(void)
{
    arm(0, 0x10000, 16, 0x5000);
    return 9;
}
static int pointer(void)
{
    signal(SIGALRM, on_alarm);
    area.section = 0x5000;
    raise(SIGALRM);
    return 9;
}
static int pointer_wide(void)
{
    signal(SIGALRM, on_alarm);
    area.section = 1ull << 33;
    raise(SIGALRM);
    return 9;
}

static int gone(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    DIE_UNLESS(rseq(&area, 32, 1, SIGNATURE) == 0 && rseq(p, 32, 0, SIGNATURE) == 0);
    munmap(p, 4096);
    signal(SIGALRM, on_alarm);
    raise(SIGALRM);
    return 9;
}

static void nonsense(void)
{
    title("nonsense");
    SHOW(status_of(elsewhere));
    SHOW(status_of(version));
    SHOW(status_of(unsigned_abort));
    SHOW(status_of(above));
    SHOW(status_of(wide));
    SHOW(status_of(longer));
    SHOW(status_of(inside));
    SHOW(status_of(unmapped));
    SHOW(status_of(pointer));
    SHOW(status_of(pointer_wide));
    SHOW(status_of(gone));
}

static void traced(void)
{
    struct {
        unsigned long long at;
        unsigned size, signature, flags, pad;
    } c = {0};
    int status;
    pid_t child = fork();

    title("traced");
    DIE_UNLESS(child >= 0);
    if (child == 0) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        raise(SIGSTOP);
        _exit(0);
    }
    DIE_UNLESS(waitpid(child, &status, 0) == child);
    SHOW(syscall(SYS_ptrace, 0x420f, child, sizeof(c), &c));
    SHOW(c.at == (unsigned long)&area);
    SHOW(c.size);
    SHOW(c.signature);
    SHOW(syscall(SYS_ptrace, 0x420f, child, 8, &c));
    SHOW(syscall(SYS_ptrace, 0x420f, child, 8, NULL));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

/* Those that interrupt one another share a processor. */
static void on_one_processor(void)
{
    cpu_set_t one;

    CPU_ZERO(&one);
    CPU_SET(0, &one);
    DIE_UNLESS(sched_setaffinity(0, sizeof(one), &one) == 0);
}

int main(void)
{
    on_one_processor();
    unregister_library();
    registering();
    interrupted();
    kept();
    nonsense();
    traced();
    return 0;
}
