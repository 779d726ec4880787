/*
 * ptrace: registers of every kind, of a tracee in its stop; what it must not be made to load; and
 * watchpoints, each in its thread.
 */
#include <elf.h>
#include "tracing.h"

static struct user_regs_struct regs(pid_t pid)
{
    struct user_regs_struct r;

    DIE_UNLESS(trace(PTRACE_GETREGS, pid, 0, (long)&r) == 0);
    return r;
}

/* ---- General ---- */

/* Loads registers with known values and traps. */
static void known(void)
{
    __asm__ volatile("pushl %%ebp; movl $0xb0b, %%ebp; int3; popl %%ebp"
                     :
                     : "a"(0xa), "b"(0xb), "c"(0xc), "d"(0xd), "S"(0x51), "D"(0xd1)
                     : "memory");
}

static void takes_values(void)
{
    unsigned a, b, c, d;

    __asm__ volatile("int3" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "0"(0), "1"(0), "2"(0), "3"(0));
    _exit(a == 0x1234 && b == 0x5678 && c == 0x9abc && d == 0xdef0 ? 4 : 5);
}

static void general(void)
{
    struct user_regs_struct r;
    pid_t pid = tracee(known);

    SHOW(trace(PTRACE_CONT, pid, 0, 0));
    await("trap", pid);
    r = regs(pid);
    printf("eax %lx ebx %lx ecx %lx edx %lx esi %lx edi %lx ebp %lx orig_eax %ld\n", r.eax, r.ebx,
           r.ecx, r.edx, r.esi, r.edi, r.ebp, r.orig_eax);
    printf("cs %lx ds %lx es %lx ss %lx\n", r.xcs, r.xds, r.xes, r.xss);
    printf("after the trap: %x\n", peek(PTRACE_PEEKTEXT, pid, r.eip - 1) & 0xff);
    printf("by place: %x %x %x\n", peek(PTRACE_PEEKUSER, pid, USER(regs.ebx)),
           peek(PTRACE_PEEKUSER, pid, USER(regs.esi)), peek(PTRACE_PEEKUSER, pid, USER(regs.xcs)));
    finish(pid);

    pid = tracee(takes_values);
    SHOW(trace(PTRACE_CONT, pid, 0, 0));
    await("trap", pid);
    r = regs(pid);
    r.eax = 0x1234;
    r.ebx = 0x5678;
    SHOW(trace(PTRACE_SETREGS, pid, 0, (long)&r));
    SHOW(trace(PTRACE_POKEUSER, pid, USER(regs.ecx), 0x9abc));
    SHOW(trace(PTRACE_POKEUSER, pid, USER(regs.edx), 0xdef0));
    SHOW(trace(PTRACE_CONT, pid, 0, 0));
    await("end", pid);
}

/* ---- What a tracee must not get ---- */

static const struct {
    const char *name;
    unsigned long place, value;
} wild[] = {
    {"kernel code", USER(regs.xcs), 0x60}, {"ring 0 of its own", USER(regs.xcs), 0x70},
    {"ring 1", USER(regs.xcs), 0x71},      {"no code", USER(regs.xcs), 0},
    {"no stack", USER(regs.xss), 0},       {"kernel stack", USER(regs.xss), 0x68},
    {"kernel data", USER(regs.xds), 0x68}, {"ring 2 data", USER(regs.xes), 0x7a},
    {"kernel fs", USER(regs.xfs), 0xd8},   {"null data", USER(regs.xds), 0},

};

static void must_not(void)
{
    pid_t pid = tracee(idle);
    unsigned value;

    for (unsigned i = 0; i < sizeof(wild) / sizeof(wild[0]); i++) {
        errno = 0;
        trace(PTRACE_POKEUSER, pid, wild[i].place, wild[i].value);
        printf("%s: %s\n", wild[i].name, error_name(errno));
    }
    trace(PTRACE_POKEUSER, pid, USER(regs.xds), 0x7b);
    SHOW(trace(PTRACE_PEEKUSER, pid, 1, (long)&value));
    SHOW(trace(PTRACE_PEEKUSER, pid, sizeof(struct user), (long)&value));
    SHOW(trace(PTRACE_PEEKUSER, pid, sizeof(struct user) - 4, (long)&value));
    SHOW(trace(PTRACE_PEEKUSER, pid, USER(u_tsize), (long)&value));
    SHOW(trace(PTRACE_PEEKUSER, pid, -4, (long)&value));
    SHOW(trace(PTRACE_POKEUSER, pid, USER(u_tsize), 0));
    SHOW(trace(PTRACE_POKEUSER, pid, USER(regs.eip) + 2, 0));
    /* Flags: IOPL, IF, VM and NT stay as they are. */
    SHOW(trace(PTRACE_POKEUSER, pid, USER(regs.eflags), 0xffffffff & ~0x100));
    printf("eflags %x\n", peek(PTRACE_PEEKUSER, pid, USER(regs.eflags)));
    SHOW(trace(PTRACE_POKEUSER, pid, USER(regs.eflags), 0));
    printf("eflags %x\n", peek(PTRACE_PEEKUSER, pid, USER(regs.eflags)));
    SHOW(trace(PTRACE_GETREGS, pid, 0, 0));
    SHOW(trace(PTRACE_SETREGS, pid, 0, 0));
    finish(pid);
}

/* A selector or address that is a user's but leads nowhere is the tracee's own fault. */
static void goes_wrong(const char *what, unsigned long place, unsigned long value)
{
    pid_t pid = tracee(known);

    DIE_UNLESS(trace(PTRACE_CONT, pid, 0, 0) == 0 && waitpid(pid, NULL, 0) == pid);
    errno = 0;
    trace(PTRACE_POKEUSER, pid, place, value);
    printf("%s: %s\n", what, error_name(errno));
    SHOW(trace(PTRACE_CONT, pid, 0, 0));
    await("then", pid);
    finish(pid);
}

/* ---- Floating point ---- */

static void computes(void)
{
    double d = 1.5;

    __asm__ volatile("fldl %0; int3; fstpl %0" : "+m"(d));
    _exit(d == 2.0 ? 8 : 9);
}

static void floating(void)
{
    struct user_fpregs_struct fp;
    struct user_fpxregs_struct fpx;
    struct iovec v = {&fp, sizeof(fp)};
    pid_t pid = tracee(computes);

    SHOW(trace(PTRACE_GETFPREGS, pid, 0, (long)&fp));
    printf("before: cwd %lx swd %lx twd %lx\n", fp.cwd, fp.swd, fp.twd);
    SHOW(trace(PTRACE_CONT, pid, 0, 0));
    await("trap", pid);
    SHOW(trace(PTRACE_GETFPREGS, pid, 0, (long)&fp));
    printf("loaded: cwd %lx swd %lx twd %lx st0 %08lx %08lx %04lx\n", fp.cwd, fp.swd, fp.twd,
           fp.st_space[0], fp.st_space[1], fp.st_space[2] & 0xffff);
    SHOW(trace(PTRACE_GETFPXREGS, pid, 0, (long)&fpx));
    printf("fx: cwd %x swd %x twd %x mxcsr %lx st0 %08lx %08lx %04lx\n", fpx.cwd, fpx.swd, fpx.twd,
           fpx.mxcsr, fpx.st_space[0], fpx.st_space[1], fpx.st_space[2] & 0xffff);
    SHOW(trace(PTRACE_GETREGSET, pid, NT_PRFPREG, (long)&v));
    printf("%zu bytes\n", v.iov_len);
    fpx.mxcsr |= 0x80000000;
    SHOW(trace(PTRACE_SETFPXREGS, pid, 0, (long)&fpx));
    fp.st_space[1] = 0x80000000; /* 2.0 */
    fp.st_space[2] = 0x4000;
    SHOW(trace(PTRACE_SETFPREGS, pid, 0, (long)&fp));
    SHOW(trace(PTRACE_GETFPREGS, pid, 0, 0));
    SHOW(trace(PTRACE_GETFPXREGS, pid, 0, 0));
    SHOW(trace(PTRACE_CONT, pid, 0, 0));
    await("end", pid);
}

/* ---- Sets ---- */

struct desc {
    unsigned entry, base, limit, flags;
};

static void sets(void)
{
    struct user_regs_struct r;
    struct desc d = {0}, tls[3];
    unsigned long words[200];
    struct iovec v = {&r, sizeof(r)}, w = {words, sizeof(words)};
    pid_t pid = tracee(idle);

    SHOW(trace(PTRACE_GETREGSET, pid, NT_PRSTATUS, (long)&v));
    printf("%zu of %zu bytes\n", v.iov_len, sizeof(r));
    SHOW(trace(PTRACE_GETREGSET, pid, NT_PRSTATUS, (long)&w));
    printf("%zu bytes\n", w.iov_len);
    v.iov_len = 8;
    r.ebx = 0x77;
    SHOW(trace(PTRACE_SETREGSET, pid, NT_PRSTATUS, (long)&v));
    printf("%zu bytes, ebx %lx\n", v.iov_len, regs(pid).ebx);
    v.iov_len = 7;
    SHOW(trace(PTRACE_GETREGSET, pid, NT_PRSTATUS, (long)&v));
    v.iov_len = 0;
    SHOW(trace(PTRACE_GETREGSET, pid, NT_PRSTATUS, (long)&v));
    SHOW(trace(PTRACE_GETREGSET, pid, 0x7777, (long)&v));
    SHOW(trace(PTRACE_GETREGSET, pid, NT_PRSTATUS, 0));
    v = (struct iovec){NULL, sizeof(r)};
    SHOW(trace(PTRACE_GETREGSET, pid, NT_PRSTATUS, (long)&v));
    w.iov_len = 512;
    SHOW(trace(PTRACE_GETREGSET, pid, NT_PRXFPREG, (long)&w));
    printf("%zu bytes\n", w.iov_len);
    w.iov_len = 256;
    SHOW(trace(PTRACE_SETREGSET, pid, NT_PRXFPREG, (long)&w));
    w.iov_len = 64;
    SHOW(trace(PTRACE_GETREGSET, pid, NT_386_IOPERM, (long)&w));
    v = (struct iovec){tls, sizeof(tls)};
    SHOW(trace(PTRACE_GETREGSET, pid, NT_386_TLS, (long)&v));
    printf("%zu bytes: entries %u %u %u, limits %x %x %x\n", v.iov_len, tls[0].entry, tls[1].entry,
           tls[2].entry, tls[0].limit, tls[1].limit, tls[2].limit);
    tls[1] = (struct desc){7, 0x1000, 0x10, 0x51};
    SHOW(trace(PTRACE_SETREGSET, pid, NT_386_TLS, (long)&v));
    SHOW(trace(PTRACE_GET_THREAD_AREA, pid, 7, (long)&d));
    printf("entry %u base %x limit %x flags %x\n", d.entry, d.base, d.limit, d.flags);
    SHOW(trace(PTRACE_GET_THREAD_AREA, pid, 5, (long)&d));
    SHOW(trace(PTRACE_GET_THREAD_AREA, pid, -1, (long)&d));
    SHOW(trace(PTRACE_GET_THREAD_AREA, pid, 6, 0));
    d = (struct desc){8, 0x2000, 0x20, 0x51};
    SHOW(trace(PTRACE_SET_THREAD_AREA, pid, 8, (long)&d));
    SHOW(trace(PTRACE_GET_THREAD_AREA, pid, 8, (long)&d));
    printf("base %x\n", d.base);
    d.flags = 0x7; /* code */
    SHOW(trace(PTRACE_SET_THREAD_AREA, pid, 8, (long)&d));
    SHOW(trace(PTRACE_SET_THREAD_AREA, pid, 9, (long)&d));
    SHOW(trace(PTRACE_SET_THREAD_AREA, pid, 8, 0));
    finish(pid);
}

/* ---- Watchpoints ---- */

static volatile unsigned watched, other;

static void writes(void)
{
    other = 1;
    watched = 1;
    other = watched;
    watched = 2;
    _exit(3);
}

#define DR(n) (USER(u_debugreg[0]) + 4 * (n))

static void show_hit(const char *what, pid_t pid)
{
    siginfo_t info;

    await(what, pid);
    SHOW(trace(PTRACE_GETSIGINFO, pid, 0, (long)&info));
    printf("code %d, dr6 %x, watched %u, other %u\n", info.si_code,
           peek(PTRACE_PEEKUSER, pid, DR(6)) & 0x400f, peek(PTRACE_PEEKDATA, pid, (long)&watched),
           peek(PTRACE_PEEKDATA, pid, (long)&other));
}

static void watchpoints(void)
{
    pid_t pid = tracee(writes);

    SHOW(trace(PTRACE_POKEUSER, pid, DR(0), (long)&watched));
    SHOW(trace(PTRACE_POKEUSER, pid, DR(7), 0xd0001)); /* 4 bytes, writes */
    printf("%d %x\n", peek(PTRACE_PEEKUSER, pid, DR(0)) == (unsigned long)&watched,
           peek(PTRACE_PEEKUSER, pid, DR(7)));
    SHOW(trace(PTRACE_CONT, pid, 0, 0));
    show_hit("first write", pid);
    SHOW(trace(PTRACE_POKEUSER, pid, DR(6), 0));
    SHOW(trace(PTRACE_POKEUSER, pid, DR(7), 0xf0001)); /* reads too */
    SHOW(trace(PTRACE_CONT, pid, 0, 0));
    show_hit("read", pid);
    SHOW(trace(PTRACE_POKEUSER, pid, DR(7), 0));
    SHOW(trace(PTRACE_CONT, pid, 0, 0));
    await("end", pid);

    pid = tracee(writes);
    SHOW(trace(PTRACE_POKEUSER, pid, DR(1), (long)&writes));
    SHOW(trace(PTRACE_POKEUSER, pid, DR(7), 0x4)); /* execution */
    SHOW(trace(PTRACE_CONT, pid, 0, 0));
    show_hit("call", pid);
    printf("at its start: %d\n", regs(pid).eip == (long)&writes);
    SHOW(trace(PTRACE_CONT, pid, 0, 0));
    await("end", pid);

    pid = tracee(writes);
    SHOW(trace(PTRACE_POKEUSER, pid, DR(0), 0xffff0000));
    SHOW(trace(PTRACE_POKEUSER, pid, DR(4), 0));
    SHOW(trace(PTRACE_POKEUSER, pid, DR(5), 1));
    printf("%x %x\n", peek(PTRACE_PEEKUSER, pid, DR(4)), peek(PTRACE_PEEKUSER, pid, DR(5)));
    SHOW(trace(PTRACE_POKEUSER, pid, DR(2), (long)&watched + 1));
    SHOW(trace(PTRACE_POKEUSER, pid, DR(7), 0xd000010)); /* not aligned */
    SHOW(trace(PTRACE_POKEUSER, pid, DR(7), 0xc000010)); /* execution of 4 bytes */
    SHOW(trace(PTRACE_POKEUSER, pid, DR(7), 0x2000010)); /* ports */
    finish(pid);
}

int main(void)
{
    general();
    must_not();
    goes_wrong("a TLS entry as code", USER(regs.xcs), 0x33);
    goes_wrong("no such stack", USER(regs.xss), 0xfff3);
    goes_wrong("the kernel's half", USER(regs.eip), 0xf0000000);
    floating();
    sets();
    watchpoints();
    return 0;
}
