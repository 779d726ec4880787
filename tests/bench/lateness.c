/*
 * Init of scripts/lateness, on Faultline and on Linux: long calls, and how long each kept the CPU
 * from a thread that was to have it. Faultline tells itself the longest stretch in which no other
 * could have run (/proc/latency); elsewhere a real-time thread that sleeps for 1 ms at a time looks
 * how late it is.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MIB    (1u << 20)
#define SIZE   (512 * MIB)
#define AREAS  60000u
#define PERIOD 1000000 /* ns */

static char *big;
static volatile long longest; /* ns that the sleeper was late */

static void *sleeper(void *unused)
{
    struct sched_param first = {.sched_priority = 50};
    struct timespec at, now;

    sched_setscheduler(0, SCHED_FIFO, &first);
    clock_gettime(CLOCK_MONOTONIC, &at);
    for (;;) {
        long late;

        at.tv_nsec += PERIOD;
        if (at.tv_nsec >= 1000000000) {
            at.tv_sec++;
            at.tv_nsec -= 1000000000;
        }
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
        clock_gettime(CLOCK_MONOTONIC, &now);
        late = (now.tv_sec - at.tv_sec) * 1000000000 + now.tv_nsec - at.tv_nsec;
        if (late > longest)
            longest = late;
        if (late > PERIOD)
            at = now;
    }
    return unused;
}

static void forget(void)
{
    int fd = open("/proc/latency", O_WRONLY);

    if (fd >= 0 && write(fd, "0", 1) == 1)
        close(fd);
    usleep(20000);
    longest = 0;
}

static long kept(void)
{
    char text[512] = "";
    int fd = open("/proc/latency", O_RDONLY);

    usleep(20000);
    if (fd < 0)
        return longest;
    if (read(fd, text, sizeof(text) - 1) < 0)
        return -1;
    close(fd);
    return strstr(text, "no_switch") ? atol(strstr(text, "no_switch") + 9) : -1;
}

static void run(const char *name, void (*fn)(void))
{
    forget();
    fn();
    printf("late %s %ld\n", name, kept());
}

static void fill_from(const char *device, size_t n)
{
    int fd = open(device, O_RDONLY);

    for (size_t done = 0; done < n;) {
        ssize_t got = read(fd, big + done, n - done);
        if (got <= 0)
            break;
        done += (size_t)got;
    }
    close(fd);
}

static void populate(void)
{
    big =
        mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (big == MAP_FAILED)
        perror("mmap");
}

static void urandom(void)
{
    fill_from("/dev/urandom", 16 * MIB);
}

static void zero(void)
{
    fill_from("/dev/zero", SIZE);
}

static void process_vm(void)
{
    struct iovec to = {big, SIZE / 2}, from = {big + SIZE / 2, SIZE / 2};

    if (process_vm_readv(getpid(), &to, 1, &from, 1, 0) != SIZE / 2)
        perror("process_vm_readv");
}

static void protect(void)
{
    mprotect(big, SIZE, PROT_READ);
    mprotect(big, SIZE, PROT_READ | PROT_WRITE);
}

static void fork_it(void)
{
    if (fork() == 0)
        _exit(0);
    wait(NULL);
}

static void unmap(void)
{
    munmap(big, SIZE);
}

static void exit_with(void)
{
    if (fork() == 0) {
        populate();
        _exit(0);
    }
    wait(NULL);
}

static char *areas;

static void make_areas(void)
{
    areas = mmap(NULL, AREAS * 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (unsigned i = 0; i < AREAS; i += 2)
        mprotect(areas + i * 4096, 4096, PROT_READ | PROT_WRITE);
}

static void protect_areas(void)
{
    mprotect(areas, AREAS * 4096, PROT_READ | PROT_EXEC);
}

static void unmap_areas(void)
{
    munmap(areas, AREAS * 4096);
}

static void slabinfo(void)
{
    static char text[1 << 16];
    int fd = open("/proc/slabinfo", O_RDONLY);

    while (read(fd, text, sizeof(text)) > 0)
        ;
    close(fd);
}

static void truncate_file(void)
{
    int fd = open("/tmp/file", O_RDWR | O_CREAT, 0600);

    if (ftruncate(fd, 0))
        perror("ftruncate");
    close(fd);
}

static void write_file(void)
{
    int fd = open("/tmp/file", O_RDWR | O_CREAT, 0600);

    for (size_t done = 0; done < SIZE / 2; done += MIB)
        if (write(fd, big + done, MIB) != MIB)
            perror("write");
    close(fd);
}

static const struct {
    const char *name;
    void (*fn)(void);
} rows[] = {
    {"populate", populate},     {"urandom", urandom},          {"zero", zero},
    {"process_vm", process_vm}, {"mprotect", protect},         {"fork", fork_it},
    {"write", write_file},      {"truncate", truncate_file},   {"munmap", unmap},
    {"exit", exit_with},        {"make-areas", make_areas},    {"mprotect-areas", protect_areas},
    {"fork-areas", fork_it},    {"munmap-areas", unmap_areas}, {"slabinfo", slabinfo},
};

int main(void)
{
    pthread_t t;

    setvbuf(stdout, NULL, _IONBF, 0);
    mkdir("/proc", 0755);
    mkdir("/tmp", 0755);
    mount("proc", "/proc", "proc", 0, NULL);
    mount("tmpfs", "/tmp", "tmpfs", 0, "size=90%");
    pthread_create(&t, NULL, sleeper, NULL);
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        run(rows[i].name, rows[i].fn);
    printf("late: done\n");
    reboot(RB_POWER_OFF);
    return 0;
}
