/*
 * Settings that a program asks of a processor or a memory that may not be there (prctl), of one
 * write (pwritev2), of a mapping, of a clock; and settings of files by /proc/sys.
 */
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <time.h>
#include "guest.h"

CHANGES_THE_MACHINE("settings of /proc/sys");

/* ---- prctl ---- */

#define PRCTL(...) printf("prctl(" #__VA_ARGS__ "): %s\n", answer_of(prctl(__VA_ARGS__)))

static void machine_checks(void)
{
    printf("-- machine checks\n");
    PRCTL(PR_MCE_KILL_GET, 0, 0, 0, 0);
    for (long policy = 0; policy < 4; policy++) {
        PRCTL(PR_MCE_KILL, PR_MCE_KILL_SET, policy, 0, 0);
        PRCTL(PR_MCE_KILL_GET, 0, 0, 0, 0);
    }
    PRCTL(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0);
    PRCTL(PR_MCE_KILL, PR_MCE_KILL_CLEAR, 1, 0, 0);
    if (fork() == 0) {
        PRCTL(PR_MCE_KILL_GET, 0, 0, 0, 0);
        _exit(0);
    }
    wait(NULL);
    PRCTL(PR_MCE_KILL, PR_MCE_KILL_CLEAR, 0, 0, 0);
    PRCTL(PR_MCE_KILL_GET, 0, 0, 0, 0);
    PRCTL(PR_MCE_KILL, 2, 0, 0, 0);
    PRCTL(PR_MCE_KILL, PR_MCE_KILL_SET, 0, 1, 0);
    PRCTL(PR_MCE_KILL_GET, 1, 0, 0, 0);
}

static void huge_pages(void)
{
    printf("-- huge pages, flushers, events\n");
    PRCTL(PR_GET_THP_DISABLE, 0, 0, 0, 0);
    PRCTL(PR_SET_THP_DISABLE, 5, 0, 0, 0);
    PRCTL(PR_GET_THP_DISABLE, 0, 0, 0, 0);
    if (fork() == 0) {
        PRCTL(PR_GET_THP_DISABLE, 0, 0, 0, 0);
        _exit(0);
    }
    wait(NULL);
    PRCTL(PR_SET_THP_DISABLE, 0, 1, 0, 0);
    PRCTL(PR_GET_THP_DISABLE, 1, 0, 0, 0);
    PRCTL(PR_SET_THP_DISABLE, 0, 0, 0, 0);
    PRCTL(PR_GET_THP_DISABLE, 0, 0, 0, 0);
    PRCTL(57, 1, 0, 0, 0); /* PR_SET_IO_FLUSHER */
    PRCTL(58, 0, 0, 0, 0);
    PRCTL(57, 2, 0, 0, 0);
    PRCTL(57, 0, 1, 0, 0);
    PRCTL(58, 1, 0, 0, 0);
    PRCTL(PR_TASK_PERF_EVENTS_DISABLE, 0, 0, 0, 0);
    PRCTL(PR_TASK_PERF_EVENTS_ENABLE, 5, 6, 7, 8);
    if (fork() == 0) {
        PRCTL(58, 0, 0, 0, 0);
        DIE_UNLESS(setuid(1000) == 0);
        PRCTL(57, 0, 0, 0, 0);
        PRCTL(58, 0, 0, 0, 0);
        PRCTL(57, 0, 1, 0, 0);
        _exit(0);
    }
    wait(NULL);
}

static void speculation(void)
{
    printf("-- speculation\n");
    for (long which = 0; which < 4; which++) {
        PRCTL(PR_GET_SPECULATION_CTRL, which, 0, 0, 0);
        for (long wanted = 1; wanted <= 16; wanted *= 2)
            PRCTL(PR_SET_SPECULATION_CTRL, which, wanted, 0, 0);
    }
    PRCTL(PR_GET_SPECULATION_CTRL, 0, 1, 0, 0);
    PRCTL(PR_SET_SPECULATION_CTRL, 0, 2, 1, 0);
}

/* ---- One write ---- */

static void appending(void)
{
    char text[] = "abcdefgh", buf[64] = "";
    struct iovec v = {text, 4};
    int fd = open("/tmp/appended", O_RDWR | O_CREAT | O_TRUNC, 0600), pipes[2];

    printf("-- pwritev2\n");
    DIE_UNLESS(fd >= 0 && write(fd, "0123456789", 10) == 10 && pipe(pipes) == 0);
    SHOW(pwritev2(fd, &v, 1, 2, RWF_APPEND));
    SHOW(lseek(fd, 0, SEEK_CUR));
    SHOW(lseek(fd, 3, SEEK_SET));
    SHOW(pwritev2(fd, &v, 1, -1, RWF_APPEND));
    SHOW(lseek(fd, 0, SEEK_CUR));
    SHOW(pwritev2(fd, &v, 1, 0, RWF_DSYNC | RWF_SYNC));
    SHOW(preadv2(fd, &v, 1, 0, RWF_APPEND));
    SHOW(pread(fd, buf, sizeof(buf) - 1, 0));
    printf("%s\n", buf);
    SHOW(pwritev2(fd, &v, 1, 0, 32));
    SHOW(pwritev2(fd, &v, 1, 0, RWF_APPEND | 32));
    SHOW(pwritev2(pipes[1], &v, 1, -1, RWF_APPEND));
    SHOW(pwritev2(pipes[1], &v, 1, 0, RWF_APPEND));
    SHOW(write(fd, "z", 1)); /* as the file was opened again */
    SHOW(lseek(fd, 0, SEEK_CUR));
    close(fd);
    close(pipes[0]);
    close(pipes[1]);
}

/* ---- Mappings, pipes, clocks ---- */

static long maps(int fd, int more)
{
    long r = syscall(SYS_mmap2, 0, PAGE, PROT_READ, MAP_SHARED_VALIDATE | more, fd, 0);

    if (r == -1)
        return -1;
    munmap((void *)r, PAGE);
    return 0;
}

static void mapping(void)
{
    int fd = open("/tmp/appended", O_RDWR), pipes[2];
    char *p = map_anon(1);

    printf("-- mappings\n");
    for (int bit = 6; bit < 32; bit++) {
        if (bit == 18 || (1u << bit) == MAP_FIXED_NOREPLACE)
            continue;
        printf("%x: ", 1u << bit);
        printf("%s\n", answer_of(maps(fd, 1u << bit)));
    }
    SHOW(mprotect(p, PAGE, PROT_READ | 8)); /* PROT_SEM */
    SHOW(mprotect(p, PAGE, 16));
    SHOW(syscall(SYS_pipe2, pipes, O_EXCL)); /* O_NOTIFICATION_PIPE */
    SHOW(syscall(SYS_pipe2, pipes, O_EXCL | O_APPEND));
    munmap(p, PAGE);
    close(fd);
}

static void clocks(void)
{
    struct timespec ts = {1, 1}, bad = {1, -1};
    const int other = (int)(~999999u << 3 | 2);

    printf("-- clocks of processors\n");
    for (int id = -8; id < 0; id++) {
        printf("%d: ", id);
        printf("%s ", answer_of(syscall(SYS_clock_settime, id, &ts)));
        printf("%s ", answer_of(syscall(SYS_clock_settime, id, &bad)));
        printf("%s\n", answer_of(syscall(SYS_clock_settime, id, NULL)));
    }
    SHOW(syscall(SYS_clock_settime, other, &ts));
    SHOW(syscall(SYS_clock_settime, other, NULL));
    SHOW(syscall(SYS_clock_settime, (int)(~(unsigned)getpid() << 3 | 2), &ts));
    SHOW(syscall(SYS_clock_settime, CLOCK_MONOTONIC, NULL));
}

/* ---- /proc/sys ---- */

static const char *set(const char *name, const char *value)
{
    static char text[64];
    char path[64];
    int fd;

    snprintf(path, sizeof(path), "/proc/sys/%s", name);
    fd = open(path, O_RDWR);
    if (fd < 0)
        return error_name(errno);
    if (write(fd, value, strlen(value)) < 0)
        printf("(%s) ", error_name(errno));
    memset(text, 0, sizeof(text));
    DIE_UNLESS(pread(fd, text, sizeof(text) - 1, 0) > 0);
    text[strcspn(text, "\n")] = 0;
    close(fd);
    return text;
}

/* How many mounts there may be is different on each machine. */
static void keep_mounts(bool back)
{
    static char most[32];
    int fd = open("/proc/sys/fs/mount-max", O_RDWR);

    DIE_UNLESS(fd >= 0);
    if (back)
        DIE_UNLESS(write(fd, most, strlen(most)) > 0);
    else
        DIE_UNLESS(read(fd, most, sizeof(most) - 1) > 0);
    close(fd);
}

static void setting(void)
{
    static const char *const values[][2] = {
        {"fs/protected_hardlinks", "2"}, {"fs/protected_hardlinks", "0"},
        {"fs/protected_symlinks", "2"},  {"fs/protected_symlinks", "0"},
        {"fs/dir-notify-enable", "0"},   {"fs/mount-max", "5000"},
        {"fs/mount-max", "0"},           {"fs/overflowuid", "65536"},
        {"fs/overflowuid", "65534"},     {"kernel/overflowuid", "65536"},
        {"kernel/overflowuid", "-1"},    {"kernel/overflowgid", "65536"},
        {"kernel/overflowuid", "60000"}, {"kernel/overflowgid", "60001"},
    };

    printf("-- /proc/sys\n");
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        printf("%s = %s: %s\n", values[i][0], values[i][1], set(values[i][0], values[i][1]));
}

static void with_settings(void)
{
    uint16_t ids[3];
    int dir = open("/tmp", O_RDONLY);

    SHOW(fcntl(dir, F_NOTIFY, DN_CREATE));
    close(dir);
    if (fork() == 0) {
        DIE_UNLESS(syscall(SYS_setresgid32, 70000, 5, 5) == 0);
        DIE_UNLESS(syscall(SYS_setresuid32, 70000, 6, 6) == 0);
        SHOW(syscall(SYS_getuid));
        SHOW(syscall(SYS_getgid));
        SHOW(syscall(SYS_getresuid, &ids[0], &ids[1], &ids[2]));
        printf("%d %d %d\n", ids[0], ids[1], ids[2]);
        SHOW(syscall(SYS_getresgid, &ids[0], &ids[1], &ids[2]));
        printf("%d %d %d\n", ids[0], ids[1], ids[2]);
        _exit(0);
    }
    wait(NULL);
}

/* In a directory where everybody makes links: of root, of another, of the directory's owner. */
static void follow(const char *when)
{
    printf("-- links, %s\n", when);
    if (fork() == 0) {
        DIE_UNLESS(setgid(1000) == 0 && setuid(1000) == 0);
        SHOW(open("/tmp/shared/roots", O_RDONLY) >= 0);
        SHOW(open("/tmp/shared/mine", O_RDONLY) >= 0);
        SHOW(open("/tmp/shared/others", O_RDONLY) >= 0);
        SHOW(open("/tmp/shared/dirs/target", O_RDONLY) >= 0); /* not at the end */
        SHOW(open("/tmp/shared/dirs", O_RDONLY) >= 0);
        SHOW(open("/tmp/shared/dirs/", O_RDONLY) >= 0);
        SHOW(access("/tmp/shared/others", R_OK));
        SHOW(open("/tmp/plain", O_RDONLY) >= 0); /* of /tmp's owner */
        SHOW(open("/tmp/shared/through", O_RDONLY) >= 0);
        SHOW(link("/tmp/shared/roots_file", "/tmp/shared/linked") == 0);
        unlink("/tmp/shared/linked");
        _exit(0);
    }
    wait(NULL);
}

static void make_links(void)
{
    DIE_UNLESS(mkdir("/tmp/shared", 0) == 0 && chmod("/tmp/shared", 01777) == 0);
    DIE_UNLESS(chown("/tmp/shared", 1001, 1001) == 0);
    DIE_UNLESS(mkdir("/tmp/places", 0755) == 0);
    DIE_UNLESS(close(open("/tmp/places/target", O_CREAT | O_WRONLY, 0644)) == 0);
    DIE_UNLESS(close(open("/tmp/shared/roots_file", O_CREAT | O_WRONLY, 0644)) == 0);
    DIE_UNLESS(symlink("/tmp/places/target", "/tmp/shared/roots") == 0);
    DIE_UNLESS(symlink("/tmp/places/target", "/tmp/shared/mine") == 0);
    DIE_UNLESS(lchown("/tmp/shared/mine", 1000, 1000) == 0);
    DIE_UNLESS(symlink("/tmp/places/target", "/tmp/shared/others") == 0);
    DIE_UNLESS(lchown("/tmp/shared/others", 1001, 1001) == 0);
    DIE_UNLESS(symlink("/tmp/places", "/tmp/shared/dirs") == 0);
    DIE_UNLESS(symlink("/tmp/places/target", "/tmp/plain") == 0);
    DIE_UNLESS(symlink("dirs/target", "/tmp/shared/through") == 0);
    DIE_UNLESS(lchown("/tmp/shared/through", 1000, 1000) == 0);
}

static void clean_up(void)
{
    static const char *const names[] = {"shared/roots",   "shared/mine",  "shared/others",
                                        "shared/dirs",    "plain",        "shared/roots_file",
                                        "shared/through", "places/target"};
    char path[64];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "/tmp/%s", names[i]);
        unlink(path);
    }
    rmdir("/tmp/shared");
    rmdir("/tmp/places");
    unlink("/tmp/appended");
}

int main(void)
{
    setvbuf(stdout, NULL, _IONBF, 0);
    machine_checks();
    huge_pages();
    speculation();
    appending();
    mapping();
    clocks();
    make_links();
    keep_mounts(false);
    follow("as the machine has it");
    setting();
    with_settings();
    follow("without protection");
    keep_mounts(true);
    set("fs/protected_hardlinks", "1");
    set("fs/protected_symlinks", "1");
    set("fs/dir-notify-enable", "1");
    set("kernel/overflowuid", "65534");
    set("kernel/overflowgid", "65534");
    follow("protected again");
    clean_up();
    return 0;
}
