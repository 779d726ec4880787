/* PR_SET_MM: where the parts of a program lie, word by word and all at once; what /proc tells then.
 */
#include "guest.h"
#include <elf.h>
#include <sys/auxv.h>
#include <sys/prctl.h>

#define SHOWN 64

static char fresh[3 * PAGE] __attribute__((aligned(PAGE)));

static void show_file(const char *name)
{
    char path[40], text[SHOWN + 1];
    int fd;
    ssize_t n;

    snprintf(path, sizeof(path), "/proc/self/%s", name);
    fd = open(path, O_RDONLY);
    n = read(fd, text, SHOWN);
    printf("%s: ", name);
    for (ssize_t i = 0; i < n; i++)
        putchar(text[i] ? text[i] : '|');
    putchar('\n');
    close(fd);
}

/* Field n of /proc/self/stat, counted from 1. */
static unsigned long field(int n)
{
    char text[1024] = "", *at;
    int fd = open("/proc/self/stat", O_RDONLY);

    DIE_UNLESS(read(fd, text, sizeof(text) - 1) > 0);
    close(fd);
    at = strrchr(text, ')');
    for (int k = 2; k < n; k++)
        at = strchr(at, ' ') + 1;
    return strtoul(at, NULL, 10);
}

#define SET(what, addr) SHOW(prctl(PR_SET_MM, what, (unsigned long)(addr), 0, 0))

static void words(void)
{
    strcpy(fresh, "new title");
    SET(PR_SET_MM_ARG_START, fresh);
    SET(PR_SET_MM_ARG_END, fresh + 10);
    SET(PR_SET_MM_ARG_START, fresh);
    show_file("cmdline");
    strcpy(fresh + PAGE, "A=1");
    SET(PR_SET_MM_ENV_END, fresh + PAGE + 4);
    SET(PR_SET_MM_ENV_START, fresh + PAGE);
    SET(PR_SET_MM_ENV_END, fresh + PAGE + 4);
    show_file("environ");
    SET(PR_SET_MM_START_STACK, fresh + 5);
    printf("stack %d\n", field(28) == (unsigned long)fresh + 5);
    SET(PR_SET_MM_END_CODE, 0x70000000);
    SET(PR_SET_MM_START_CODE, 0x60000000);
    SET(PR_SET_MM_START_CODE, 0x70000000);
    printf("code %lx-%lx\n", field(26), field(27));
    SET(PR_SET_MM_END_DATA, 0x7f000000);
    SET(PR_SET_MM_START_DATA, 0x7f000001);
    SET(PR_SET_MM_START_DATA, 0x7f000000);
    printf("data %lx-%lx\n", field(45), field(46));
    SET(PR_SET_MM_BRK, 0x1000);
    SET(PR_SET_MM_BRK, 0);
    SET(PR_SET_MM_BRK, 0xf0000000);
    SET(99, fresh);
    SET(0, fresh);
    SHOW(prctl(PR_SET_MM, PR_SET_MM_ARG_START, fresh, 1, 0));
    SHOW(prctl(PR_SET_MM, PR_SET_MM_ARG_START, fresh, 0, 1));
    SHOW(prctl(PR_SET_MM, PR_SET_MM_EXE_FILE, 0, 0, 1));
}

static void heap(void)
{
    char *now = sbrk(0);

    SET(PR_SET_MM_BRK, now + 5 * PAGE);
    printf("break moved by %ld\n", (long)((char *)syscall(SYS_brk, 0) - now));
    SET(PR_SET_MM_START_BRK, now + 6 * PAGE);
    SET(PR_SET_MM_START_BRK, now + PAGE);
    printf("below the start: %ld\n", (long)((char *)syscall(SYS_brk, now) - now));
    SET(PR_SET_MM_START_BRK, now);
    SET(PR_SET_MM_BRK, now);
}

static void auxv(void)
{
    unsigned v[64] = {AT_PAGESZ, 4096, AT_UID, 77};
    unsigned got[100];
    int fd;
    ssize_t n;

    SHOW(prctl(PR_SET_MM, PR_SET_MM_AUXV, v, 16, 0));
    fd = open("/proc/self/auxv", O_RDONLY);
    n = read(fd, got, sizeof(got));
    close(fd);
    printf("%d, %u %u %u %u\n", n >= 24, got[0], got[1], got[2], got[3]);
    SHOW(prctl(PR_SET_MM, PR_SET_MM_AUXV, v, 192, 0));
    SHOW(prctl(PR_SET_MM, PR_SET_MM_AUXV, v, 196, 0));
    SHOW(prctl(PR_SET_MM, PR_SET_MM_AUXV, 8, 16, 0));
    SHOW(prctl(PR_SET_MM, PR_SET_MM_AUXV, 8, 0, 0));
}

static void all_at_once(void)
{
    struct prctl_mm_map m = {.start_code = 0x10000000,
                             .end_code = 0x10001000,
                             .start_data = 0x10002000,
                             .end_data = 0x10003000,
                             .start_stack = (unsigned long)fresh,
                             .exe_fd = -1};
    unsigned size = 0;

    SHOW(prctl(PR_SET_MM, PR_SET_MM_MAP_SIZE, &size, 0, 0));
    printf("size %u, %d\n", size, size == sizeof(m));
    SHOW(prctl(PR_SET_MM, PR_SET_MM_MAP_SIZE, 8, 0, 0));
    SHOW(prctl(PR_SET_MM, PR_SET_MM_MAP, &m, sizeof(m), 0));
    m.start_brk = m.brk = (unsigned long)sbrk(0);
    m.arg_start = (unsigned long)fresh;
    m.arg_end = m.arg_start + 10;
    m.env_start = m.env_end = (unsigned long)fresh;
    SHOW(prctl(PR_SET_MM, PR_SET_MM_MAP, &m, sizeof(m) - 4, 0));
    SHOW(prctl(PR_SET_MM, PR_SET_MM_MAP, 8, sizeof(m), 0));
    SHOW(prctl(PR_SET_MM, PR_SET_MM_MAP, &m, sizeof(m), 0));
    printf("code %lx-%lx, data %lx-%lx\n", field(26), field(27), field(45), field(46));
    show_file("cmdline");
    m.auxv_size = 16;
    SHOW(prctl(PR_SET_MM, PR_SET_MM_MAP, &m, sizeof(m), 0));
    m.auxv = (void *)8;
    SHOW(prctl(PR_SET_MM, PR_SET_MM_MAP, &m, sizeof(m), 0));
    m.auxv_size = 10000;
    SHOW(prctl(PR_SET_MM, PR_SET_MM_MAP, &m, sizeof(m), 0));
    m.auxv_size = 0;
    m.exe_fd = 99;
    SHOW(prctl(PR_SET_MM, PR_SET_MM_MAP, &m, sizeof(m), 0));
    m.exe_fd = -1;
    m.end_code = m.start_code;
    SHOW(prctl(PR_SET_MM, PR_SET_MM_MAP, &m, sizeof(m), 0));
}

static void exe(void)
{
    int file = open("/tmp/program", O_CREAT | O_RDWR, 0755), dir = open("/", O_RDONLY), self;

    SET(PR_SET_MM_EXE_FILE, -1);
    SET(PR_SET_MM_EXE_FILE, dir);
    SET(PR_SET_MM_EXE_FILE, file);
    fchmod(file, 0600);
    SET(PR_SET_MM_EXE_FILE, file);
    close(file);
    self = open("/proc/self/exe", O_RDONLY);
    SET(PR_SET_MM_EXE_FILE, self);
    unlink("/tmp/program");
}

static void in_a_child(void *unused)
{
    (void)unused;
    show_file("cmdline");
    DIE_UNLESS(setuid(1000) == 0);
    SET(PR_SET_MM_ARG_START, fresh);
    SET(PR_SET_MM_EXE_FILE, 0);
}

int main(void)
{
    words();
    heap();
    auxv();
    all_at_once();
    exe();
    in_child("as a user", in_a_child, NULL);
    return 0;
}
