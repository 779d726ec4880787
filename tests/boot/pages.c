/*
 * For the tests of the gdb commands: makes processes with pages of every kind, prints what /proc
 * tells of all of them, then stays. As init, on a machine that gdb then stops.
 *
 *     stat PID PPID STATE NAME        maps PID LINE
 *     page PID ADDRESS WORD           of every present page: pagemap
 *     count FRAME COUNT               of their frames: kpagecount
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE    4096u
#define PAGES   40
#define PRESENT (1ull << 63)
#define PFN(w)  ((uint32_t)(w))

static char stdout_buffer[1 << 16], stream_buffer[1 << 14];
static uint32_t frames[20000];
static unsigned nframes;
static volatile int spin = 1;

static FILE *open_proc(int pid, const char *name)
{
    char path[64];
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
    f = fopen(path, "r");
    if (f)
        setvbuf(f, stream_buffer, _IOFBF, sizeof(stream_buffer));
    return f;
}

static void show_pages(int pid, int fd, uint32_t start, uint32_t end)
{
    uint64_t word;

    for (uint32_t va = start; va < end; va += PAGE) {
        if (pread64(fd, &word, 8, (uint64_t)(va / PAGE) * 8) != 8 || !(word & PRESENT))
            continue;
        printf("page %d %08x %llx\n", pid, va, (unsigned long long)word);
        if (nframes < sizeof(frames) / sizeof(frames[0]))
            frames[nframes++] = PFN(word);
    }
}

static int is_kernel_thread(int pid)
{
    char path[64], to[64];

    snprintf(path, sizeof(path), "/proc/%d/exe", pid);
    return readlink(path, to, sizeof(to)) < 0;
}

static void show_process(int pid)
{
    unsigned start, end;
    char line[256], path[64];
    FILE *f = open_proc(pid, "stat");
    int parent, fd;
    char state, name[32];

    if (!f || is_kernel_thread(pid))
        return;
    if (fscanf(f, "%*d (%31[^)]) %c %d", name, &state, &parent) == 3)
        printf("stat %d %d %c %s\n", pid, parent, state, name);
    fclose(f);
    snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
    fd = open(path, O_RDONLY);
    f = open_proc(pid, "maps");
    while (f && fgets(line, sizeof(line), f)) {
        printf("maps %d %s", pid, line);
        if (sscanf(line, "%x-%x", &start, &end) == 2)
            show_pages(pid, fd, start, end);
    }
    if (f)
        fclose(f);
    close(fd);
}

static void show_counts(void)
{
    int fd = open("/proc/kpagecount", O_RDONLY);
    uint64_t count;

    for (unsigned i = 0; i < nframes; i++)
        if (pread64(fd, &count, 8, (uint64_t)frames[i] * 8) == 8)
            printf("count %x %llu\n", frames[i], (unsigned long long)count);
    close(fd);
}

static void show_all(int last)
{
    nframes = 0;
    for (int pid = 1; pid <= last; pid++)
        show_process(pid);
    show_counts();
}

/* So that nothing new is touched between what is told and the stop. */
static void touch_buffers(void)
{
    volatile char stack[8 * PAGE];

    for (unsigned i = 0; i < sizeof(stack); i += PAGE / 2)
        stack[i] = 1;
    memset(stdout_buffer, 1, sizeof(stdout_buffer));
    memset(stream_buffer, 1, sizeof(stream_buffer));
    memset(frames, 1, sizeof(frames));
}

static void stay(void)
{
    for (;;)
        pause();
}

int main(void)
{
    static char file[3 * PAGE] = "private pages of a file";
    char *anon, *shared, *gone;
    int fd, last = 1;

    setvbuf(stdout, stdout_buffer, _IOFBF, sizeof(stdout_buffer));
    mkdir("/proc", 0755);
    mount("proc", "/proc", "proc", 0, NULL);
    anon = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    shared = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    fd = open("/data", O_RDWR | O_CREAT, 0600);
    if (write(fd, file, sizeof(file)) < 0)
        return 1;
    mmap(NULL, 3 * PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
    memset(anon, 1, PAGES / 2 * PAGE);
    memset(shared, 2, 2 * PAGE);
    for (int i = 0; i < 3; i++) {
        last = fork();
        if (last)
            continue;
        for (int n = i; n < PAGES; n += 3)
            anon[n * PAGE] += (char)(n % 2);
        shared[i * PAGE] = 3;
        mprotect(anon + 10 * PAGE, (unsigned)i * PAGE, PROT_READ);
        if (i == 2 && fork() > 0)
            stay();
        stay();
    }
    gone = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(gone, 4, 2 * PAGE);
    madvise(gone, 2 * PAGE, MADV_PAGEOUT);
    usleep(300000);
    touch_buffers();
    show_all(last + 2); /* touches all that the second time uses */
    printf("begin\n");
    fflush(stdout);
    show_all(last + 2);
    printf("ready\n");
    fflush(stdout);
    while (spin)
        ;
    return 0;
}
