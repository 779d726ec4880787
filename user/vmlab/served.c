/* Memory that a program serves: userfaultfd. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "user/vmlab/lab.h"

#define NR_USERFAULTFD 374
#define PAGES          8

/* man 2 ioctl_userfaultfd */
#define UFFD_API        0xaa
#define UFFDIO_API      0xc018aa3fu
#define UFFDIO_REGISTER 0xc020aa00u
#define UFFDIO_COPY     0xc028aa03u
#define MODE_MISSING    1
#define FAULT_WRITE     1

struct message {
    uint8_t event, pad[7];
    uint64_t flags, address;
    uint32_t tid, rest;
};

static void request(int fd, uint32_t cmd, uint64_t *words)
{
    if (ioctl(fd, cmd, words) < 0)
        give_up("ioctl");
}

/* The server, a child: it has the descriptor, and memory of its own to give from. */
static _Noreturn void serve(int fd, const char *area, volatile int *stores)
{
    static char page[PAGE] __attribute__((aligned(4096)));
    struct message m;

    while (read(fd, &m, sizeof(m)) == sizeof(m)) {
        uint64_t copy[5] = {m.address, (uintptr_t)page, PAGE, 0, 0};

        memset(page, '0' + (int)(((uintptr_t)m.address - (uintptr_t)area) / PAGE), PAGE);
        *stores += (m.flags & FAULT_WRITE) != 0;
        request(fd, UFFDIO_COPY, copy);
    }
    _exit(0);
}

void lab_served(void)
{
    volatile int *stores = (int *)map_pages(1, PROT_READ | PROT_WRITE, MAP_SHARED, -1);
    volatile char *p = map_pages(PAGES, PROT_READ | PROT_WRITE, MAP_PRIVATE, -1);
    uint64_t api[3] = {UFFD_API, 0, 0};
    uint64_t area[4] = {(uintptr_t)p, PAGES * PAGE, MODE_MISSING, 0};
    int fd = (int)syscall(NR_USERFAULTFD, 0);
    pid_t pid;

    if (fd < 0)
        give_up("userfaultfd");
    request(fd, UFFDIO_API, api);
    request(fd, UFFDIO_REGISTER, area);
    say("Eight pages have a server: a child of this process waits for their faults (userfaultfd)");
    say("and fills a page with its number when somebody misses it.");
    *stores = 0;
    fflush(stdout);
    pid = fork();
    if (pid == 0)
        serve(fd, (const char *)p, stores);
    picture("Before:", 0, (void *)p, PAGES);
    check("page 3 reads", p[3 * PAGE + 5], '3');
    p[5 * PAGE] = 'w';
    check("page 5, stored to", p[5 * PAGE], 'w');
    check("and behind the store", p[5 * PAGE + 1], '5');
    check("stores that the server was told of", *stores, 1);
    check("frames of the eight pages", frames_of(0, (void *)p, PAGES), 2);
    picture("After:", 0, (void *)p, PAGES);
    madvise((void *)p, PAGES * PAGE, MADV_DONTNEED);
    check("given back, page 5 is the server's again", p[5 * PAGE], '5');
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    close(fd);
    say("The descriptor is closed. Nobody serves the pages any more:");
    check("page 6 reads", p[6 * PAGE], 0);
}
