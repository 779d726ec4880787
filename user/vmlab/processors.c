/* Several processors: each remembers translations of its own. */
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "user/vmlab/lab.h"

#define NR_CLONE             120
#define NR_SCHED_SETAFFINITY 241
#define READS                200000ul
#define STACK                16384u
#define SHARED_VM            0x100u /* CLONE_VM */
#define CHILD_EXITS          17u    /* SIGCHLD */

/* What the two threads share. */
static volatile struct {
    unsigned *page;
    bool changed, stop;
    unsigned long reads, stale;
    unsigned seen;
} s;

static void run_on(unsigned cpu)
{
    unsigned long set = 1ul << cpu;

    if (syscall(NR_SCHED_SETAFFINITY, 0, sizeof(set), &set) < 0)
        give_up("sched_setaffinity");
}

/* Reads the page all the time. What the new page never held comes from the frame of the old one. */
static _Noreturn void reader(void)
{
    run_on(1);
    while (!s.stop) {
        bool changed = s.changed;
        unsigned word = *(volatile unsigned *)s.page;

        s.stale += changed && word != 0 && word != 2;
        s.seen = word;
        s.reads++;
    }
    _exit(0);
}

/* A thread that begins in fn and has the memory of this one. */
static pid_t start(void (*fn)(void), char *stack)
{
    long ret;

    __asm__ volatile("int $0x80\n\t"
                     "test %%eax, %%eax\n\t"
                     "jnz 1f\n\t"
                     "call *%%esi\n"
                     "1:"
                     : "=a"(ret)
                     : "0"(NR_CLONE), "b"(SHARED_VM | CHILD_EXITS), "c"(stack + STACK), "d"(0),
                       "S"(fn), "D"(0)
                     : "memory");
    return (pid_t)ret;
}

static void await_reads(unsigned long n)
{
    for (unsigned long until = s.reads + n; s.reads < until;)
        ;
}

void lab_shootdown(void)
{
    char *p = map_pages(1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    char *stack = map_pages(STACK / PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    char *other = map_pages(1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    unsigned before;
    pid_t thread;

    if (access("/sys/devices/system/cpu/cpu1", F_OK) != 0) {
        say("Left out: it needs two processors (make run CPUS=2).");
        return;
    }
    say("A thread on processor 1 reads one word all the time, so that processor has the page's");
    say("translation in its TLB. Processor 0 stores 1 there, maps a new page over it, stores 3 to");
    say("another page, and 2 to this one.");
    run_on(0);
    s.page = (unsigned *)p;
    *s.page = 1;
    thread = start(reader, stack);
    if (thread < 0)
        give_up("clone");
    while (s.seen != 1)
        ;
    await_reads(READS);
    before = frame_at(0, p);
    picture("Before:", 0, p, 1);
    if (mmap(p, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != p)
        give_up("mmap");
    *(unsigned *)other = 3; /* the old frame, as likely as not */
    *s.page = 2;
    s.changed = true;
    picture("After:", 0, p, 1);
    await_reads(READS);
    s.stop = true;
    waitpid(thread, NULL, 0);
    say("The kernel interrupted processor 1 and waited until it had forgotten. Only then frame %x",
        before);
    say("was free: it %s now. Booted with noshootdown the kernel does not wait, and the",
        frame_at(0, other) == before ? "is the other page's" : "goes to whoever asks");
    say("thread goes on reading that frame.");
    check("reads through the old translation", (long)s.stale, 0);
    check("what it reads at the end", (long)s.seen, 2);
}
