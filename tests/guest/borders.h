/*
 * Calls that take an address, with every address that they must refuse: below the first page, at
 * the top of a program's addresses, in the kernel's text, data and stacks, in the windows of
 * devices, at the very end; and such that what begins in the program ends in the kernel. By
 * somebody without rights. A test has a table of calls and says what the descriptors in it are.
 *
 * On another Linux the kernel's half begins elsewhere; there the same addresses are just not
 * mapped, and are refused with the same errors.
 */
#ifndef GUEST_BORDERS_H
#define GUEST_BORDERS_H

#include "guest.h"
#include <grp.h>
#include <sys/prctl.h>

#define TOP 0x80000000u /* of a program's addresses on Faultline */

static const uint32_t borders[] = {
    0,          1,          0xfff,      TOP - 7,    TOP - 3,    TOP - 1,    TOP,
    0x80000ffd, 0x80100000, 0x80100001, 0x80200000, 0x80400000, 0x90000000, 0xf8000000,
    0xf8001ffe, 0xfec00000, 0xfee00020, 0xfffff000, 0xfffffff0, 0xfffffffc, 0xffffffff,
};
#define BORDERS (sizeof(borders) / sizeof(*borders))

enum {               /* a test has further ones, from OWN_FLAG on */
       SHORT = 1,    /* may stop where the program's memory ends, having moved what lies before */
       NOT_NULL = 2, /* without an address it waits for ever */
       OWN_FLAG = 4,
};

struct call {
    const char *name;
    int nr, arg; /* which argument is the address */
    uint32_t args[6];
    int flags;
};

#define CALL(what, name, arg, ...)                                                                 \
    {                                                                                              \
        what, SYS_##name, arg, {__VA_ARGS__}, 0                                                    \
    }
#define CALL_FLAGS(f, what, name, arg, ...)                                                        \
    {                                                                                              \
        what, SYS_##name, arg, {__VA_ARGS__}, f                                                    \
    }

/* What a test does around a call, in a process of the call's own. */
struct surroundings {
    void (*open)(const struct call *c);
    void (*reset)(const struct call *c); /* before each border */
    uint32_t (*argument)(uint32_t a);    /* what an argument stands for */
    bool (*leaked)(void);                /* whether a byte of the kernel's has come out */
    void (*close)(void);                 /* or NULL */
};

/* A page that ends at TOP, of no zeros at its end. */
static void make_top_page(void)
{
    unsigned char there;
    char *top = (char *)(TOP - PAGE);

    if (mincore(top, PAGE, &there) != 0)
        DIE_UNLESS(mmap(top, PAGE, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == top);
}

static const char *outcome(const struct surroundings *s, const struct call *c, uint32_t at)
{
    uint32_t a[6];
    long r;

    memset((char *)TOP - 64, 'x', 64);
    s->reset(c);
    for (int i = 0; i < 6; i++)
        a[i] = s->argument(c->args[i]);
    a[c->arg] = at;
    errno = 0;
    r = syscall(c->nr, a[0], a[1], a[2], a[3], a[4], a[5]);
    if (at < TOP && at >= TOP - 7 && (c->flags & SHORT) && r <= (long)(TOP - at) &&
        (r > 0 || errno == EFAULT))
        return "held";
    return r == -1 ? error_name(errno) : "ok";
}

/* One line for each call: what each border gave, alike ones counted. */
static void try_borders(const struct surroundings *s, const struct call *c)
{
    const char *last = NULL;
    unsigned count = 0;

    alarm(5);
    s->open(c);
    printf("%-28s", c->name);
    for (unsigned i = c->flags & NOT_NULL ? 1 : 0; i < BORDERS; i++) {
        const char *now = outcome(s, c, borders[i]);

        if (last && strcmp(now, last) != 0) {
            printf(" %s*%u", last, count);
            count = 0;
        }
        last = now;
        count++;
    }
    printf(" %s*%u%s\n", last, count, s->leaked() ? " LEAKED" : "");
    if (s->close)
        s->close();
}

static void become_nobody(void)
{
    if (geteuid() == 0)
        DIE_UNLESS(setgroups(1, (gid_t[]){65534}) == 0 && setgid(65534) == 0 && setuid(65534) == 0);
    DIE_UNLESS(prctl(PR_SET_DUMPABLE, 1) == 0);
}

static void try_calls(const struct surroundings *s, const struct call *calls, size_t n)
{
    chmod(".", 0777);
    become_nobody();
    make_top_page();
    for (const struct call *c = calls; c < calls + n; c++) {
        int status;
        pid_t pid = fork();

        if (pid == 0) {
            try_borders(s, c);
            _exit(0);
        }
        DIE_UNLESS(pid > 0 && waitpid(pid, &status, 0) == pid);
        if (status)
            print_status(c->name, status);
    }
    DIE_UNLESS(getuid() != 0 && geteuid() != 0);
}

#endif
