/* What lies at or above the top of a program's addresses is nobody's: no way of reading, writing or
 * asking about memory by address gets there, whoever asks. */
#include <sys/prctl.h>
#include "guest.h"

static const uint32_t places[] = {0x80000000, 0x80000ffc, 0x80100000, 0x80101000,
                                  0x803ff000, 0x80400000, 0x90000000, 0xf8000000,
                                  0xfee00000, 0xfffff000, 0xfffffffc};
static unsigned at; /* the index of the place at work: places differ in nothing that is printed */

static void show(const char *what, long result)
{
    printf("%2u %-12s %s\n", at, what, result >= 0 ? "goes through" : error_name(errno));
}

static void by_process_vm(pid_t who, void *place)
{
    char buf[8] = "";
    struct iovec mine = {buf, sizeof(buf)}, theirs = {place, sizeof(buf)};

    show("readv", process_vm_readv(who, &mine, 1, &theirs, 1, 0));
    show("writev", process_vm_writev(who, &mine, 1, &theirs, 1, 0));
    theirs.iov_base = mine.iov_base;
    mine.iov_base = place;
    show("local readv", process_vm_readv(who, &mine, 1, &theirs, 1, 0));
    show("local writev", process_vm_writev(who, &mine, 1, &theirs, 1, 0));
}

static void by_mem_file(void *place)
{
    int fd = open("/proc/self/mem", O_RDWR);
    char buf[4] = "";

    DIE_UNLESS(fd >= 0);
    show("read mem", pread64(fd, buf, sizeof(buf), (uint32_t)place));
    show("write mem", pwrite64(fd, buf, sizeof(buf), (uint32_t)place));
    close(fd);
}

static void by_advice(void *place)
{
    void *page = (void *)((uint32_t)place & -PAGE);

    if (page == (void *)-PAGE) /* wraps, but not in Linux's 64 bits */
        return;
    show("populate r", madvise(page, PAGE, 22));
    show("populate w", madvise(page, PAGE, 23));
}

static void by_buffer(void *place)
{
    int zero = open("/dev/zero", O_RDONLY), pipes[2];

    DIE_UNLESS(zero >= 0 && pipe(pipes) == 0);
    show("read", read(zero, place, 4));
    show("write", write(pipes[1], place, 4));
    close(zero);
    close(pipes[0]);
    close(pipes[1]);
}

int main(void)
{
    if (geteuid() == 0)
        DIE_UNLESS(setgid(65534) == 0 && setuid(65534) == 0);
    /* Giving up rights made the process undumpable, and its own /proc files root's. */
    DIE_UNLESS(prctl(PR_SET_DUMPABLE, 1) == 0);
    for (at = 0; at < sizeof(places) / sizeof(places[0]); at++) {
        void *place = (void *)places[at];

        by_process_vm(getpid(), place);
        by_mem_file(place);
        by_advice(place);
        by_buffer(place);
    }
    return 0;
}
