/* openat2, kcmp, membarrier, process_madvise, handles of files, sysfs. */
#include "guest.h"
#include <linux/kcmp.h>
#include <linux/openat2.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>

/* ---- openat2 ---- */

static long open2(int dir, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve)
{
    struct open_how how = {flags, mode, resolve};
    long fd = syscall(SYS_openat2, dir, path, &how, sizeof(how));

    if (fd >= 0)
        close((int)fd);
    return fd < 0 ? -1 : 0;
}

#define RESOLVE(path, r) TRY(open2(dir, path, O_RDONLY, 0, r))

static void resolving(void)
{
    int dir;

    mkdir("tree", 0755);
    mkdir("tree/sub", 0755);
    close(open("tree/file", O_CREAT | O_RDWR, 0644));
    close(open("tree/sub/inner", O_CREAT | O_RDWR, 0644));
    close(open("outside", O_CREAT | O_RDWR, 0644));
    symlink("file", "tree/link");
    symlink("/file", "tree/absolute");
    symlink("../outside", "tree/out");
    symlink("/proc/self/exe", "tree/magic");
    dir = open("tree", O_RDONLY | O_DIRECTORY);
    RESOLVE("file", 0);
    RESOLVE("link", RESOLVE_NO_SYMLINKS);
    RESOLVE("sub/../file", RESOLVE_BENEATH);
    RESOLVE("sub/../link", RESOLVE_BENEATH);
    RESOLVE("../outside", RESOLVE_BENEATH);
    RESOLVE("out", RESOLVE_BENEATH);
    RESOLVE("absolute", RESOLVE_BENEATH);
    RESOLVE("/file", RESOLVE_BENEATH);
    RESOLVE("..", RESOLVE_BENEATH);
    RESOLVE("/file", RESOLVE_IN_ROOT);
    RESOLVE("absolute", RESOLVE_IN_ROOT);
    RESOLVE("../../../sub/inner", RESOLVE_IN_ROOT);
    RESOLVE("out", RESOLVE_IN_ROOT);
    RESOLVE("..", RESOLVE_IN_ROOT);
    RESOLVE("magic", RESOLVE_NO_MAGICLINKS);
    RESOLVE("magic", RESOLVE_NO_SYMLINKS);
    RESOLVE("magic", RESOLVE_BENEATH);
    RESOLVE("/proc/self/status", RESOLVE_NO_XDEV);
    RESOLVE("sub/inner", RESOLVE_NO_XDEV);
    RESOLVE("/proc/self/fd/0", RESOLVE_NO_MAGICLINKS);
    TRY(open2(dir, "made", O_CREAT | O_RDWR, 0600, RESOLVE_BENEATH));
    TRY(open2(dir, "../made", O_CREAT | O_RDWR, 0600, RESOLVE_BENEATH));
    TRY(open2(dir, "/made2", O_CREAT | O_RDWR, 0600, RESOLVE_IN_ROOT));
    TRY(access("tree/made2", F_OK));
    TRY(open2(AT_FDCWD, "tree/link", O_PATH | O_NOFOLLOW, 0, RESOLVE_NO_SYMLINKS));
    close(dir);
}

static void hows(void)
{
    struct {
        struct open_how how;
        uint64_t more;
    } big = {.how = {.flags = O_RDONLY}};

    TRY(open2(AT_FDCWD, "tree", O_RDONLY, 0600, 0));
    TRY(open2(AT_FDCWD, "tree/x", O_CREAT | O_RDWR, 010000, 0));
    TRY(open2(AT_FDCWD, "tree", 1ull << 40, 0, 0));
    TRY(open2(AT_FDCWD, "tree", O_RDONLY, 0, 0x40));
    TRY(open2(AT_FDCWD, "tree", O_RDONLY, 0, RESOLVE_BENEATH | RESOLVE_IN_ROOT));
    TRY(open2(AT_FDCWD, "tree", O_PATH | O_RDWR, 0, 0));
    TRY(open2(AT_FDCWD, "tree", O_PATH | O_DIRECTORY, 0, 0));
    TRY(open2(AT_FDCWD, "tree/y", O_CREAT | O_RDWR, 0600, RESOLVE_CACHED));
    TRY(open2(99, "tree", O_RDONLY, 0, 0));
    TRY(open2(AT_FDCWD, "none", O_RDONLY, 0, 0));
    TRY(syscall(SYS_openat2, AT_FDCWD, "tree", &big, sizeof(big)));
    big.more = 1;
    TRY(syscall(SYS_openat2, AT_FDCWD, "tree", &big, sizeof(big)));
    TRY(syscall(SYS_openat2, AT_FDCWD, "tree", &big, 16));
    TRY(syscall(SYS_openat2, AT_FDCWD, "tree", &big, 5000));
    TRY(syscall(SYS_openat2, AT_FDCWD, "tree", 16, 24));
}

/* ---- kcmp ---- */

static void comparing(void)
{
    int a = open("/dev/null", O_RDONLY), b = dup(a), c = open("/dev/null", O_RDONLY);
    pid_t me = getpid(), child = fork();
    long order, back;

    if (child == 0)
        for (;;)
            pause();
    SHOW(syscall(SYS_kcmp, me, me, KCMP_FILE, a, b));
    order = syscall(SYS_kcmp, me, me, KCMP_FILE, a, c);
    back = syscall(SYS_kcmp, me, me, KCMP_FILE, c, a);
    printf("an order: %d\n", (order == 1 && back == 2) || (order == 2 && back == 1));
    SHOW(syscall(SYS_kcmp, me, child, KCMP_FILE, a, b));
    SHOW(syscall(SYS_kcmp, me, me, KCMP_VM, 0, 0));
    printf("other space: %d\n", syscall(SYS_kcmp, me, child, KCMP_VM, 0, 0) != 0);
    printf("other table: %d\n", syscall(SYS_kcmp, me, child, KCMP_FILES, 0, 0) != 0);
    SHOW(syscall(SYS_kcmp, me, me, KCMP_SIGHAND, 0, 0));
    SHOW(syscall(SYS_kcmp, me, me, KCMP_FS, 0, 0));
    SHOW(syscall(SYS_kcmp, me, child, KCMP_SYSVSEM, 0, 0));
    SHOW(syscall(SYS_kcmp, me, me, KCMP_FILE, a, 99));
    SHOW(syscall(SYS_kcmp, me, me, 99, 0, 0));
    SHOW(syscall(SYS_kcmp, me, 99999999, KCMP_VM, 0, 0));
    SHOW(syscall(SYS_kcmp, 0, me, KCMP_VM, 0, 0));
    kill(child, SIGKILL);
    wait(NULL);
}

static void comparing_as_user(void *arg)
{
    (void)arg;
    DIE_UNLESS(setuid(1000) == 0);
    SHOW(syscall(SYS_kcmp, getpid(), getppid(), KCMP_VM, 0, 0));
    SHOW(syscall(SYS_open_by_handle_at, AT_FDCWD, NULL, 0));
}

/* ---- membarrier ---- */

#define BARRIER(cmd) SHOW(syscall(SYS_membarrier, cmd, 0))

static void barriers(void)
{
    printf("all: %ld\n", syscall(SYS_membarrier, 0, 0) & 127);
    BARRIER(1);
    BARRIER(2);
    BARRIER(8);
    BARRIER(16);
    BARRIER(8);
    BARRIER(32);
    BARRIER(64);
    BARRIER(32);
    BARRIER(4);
    BARRIER(3);
    BARRIER(-1);
    SHOW(syscall(SYS_membarrier, 0, 1 << 5));
}

/* ---- process_madvise ---- */

static void advice(void)
{
    char *p = map_anon(4);
    struct iovec v[2] = {{p, PAGE}, {p + 2 * PAGE, PAGE}}, odd = {p + 1, PAGE};
    pid_t child;
    int fd;

    memset(p, 1, 4 * PAGE);
    child = fork();
    if (child == 0)
        for (;;)
            pause();
    fd = (int)syscall(SYS_pidfd_open, child, 0);
    SHOW(syscall(SYS_process_madvise, fd, v, 2, 20, 0));
    SHOW(syscall(SYS_process_madvise, fd, v, 2, MADV_WILLNEED, 0));
    SHOW(syscall(SYS_process_madvise, fd, v, 0, 20, 0));
    SHOW(syscall(SYS_process_madvise, fd, v, 2, MADV_DONTNEED, 0));
    SHOW(syscall(SYS_process_madvise, fd, v, 2, 20, 1));
    SHOW(syscall(SYS_process_madvise, fd, &odd, 1, 20, 0));
    SHOW(syscall(SYS_process_madvise, fd, 16, 1, 20, 0));
    SHOW(syscall(SYS_process_madvise, fd, v, 2000, 20, 0));
    SHOW(syscall(SYS_process_madvise, 0, v, 2, 20, 0));
    SHOW(syscall(SYS_process_madvise, 99, v, 2, 20, 0));
    kill(child, SIGKILL);
    wait(NULL);
    SHOW(syscall(SYS_process_madvise, fd, v, 2, 20, 0));
    close(fd);
}

/* ---- Whiteouts ---- */

static void whiteout_as_user(void *arg)
{
    (void)arg;
    DIE_UNLESS(setuid(1000) == 0);
    SHOW(renameat2(AT_FDCWD, "w2", AT_FDCWD, "w3", RENAME_WHITEOUT));
}

static void whiteouts(void)
{
    struct stat st;

    close(open("w1", O_CREAT | O_RDWR, 0600));
    SHOW(renameat2(AT_FDCWD, "w1", AT_FDCWD, "w2", RENAME_WHITEOUT));
    SHOW(stat("w1", &st));
    printf("mode %o, device %x\n", st.st_mode, (unsigned)st.st_rdev);
    SHOW(open("w1", O_RDONLY));
    SHOW(stat("w2", &st));
    printf("mode %o\n", st.st_mode);
    SHOW(renameat2(AT_FDCWD, "w2", AT_FDCWD, "w1", RENAME_WHITEOUT | RENAME_NOREPLACE));
    SHOW(renameat2(AT_FDCWD, "w2", AT_FDCWD, "w1", RENAME_WHITEOUT | RENAME_EXCHANGE));
    SHOW(renameat2(AT_FDCWD, "w2", AT_FDCWD, "w1", RENAME_WHITEOUT));
    SHOW(unlink("w1"));
    SHOW(unlink("w2"));
    in_child("as user", whiteout_as_user, NULL);
}

/* ---- The rest ---- */

static void rest(void)
{
    struct {
        struct file_handle head;
        char bytes[128];
    } h = {.head.handle_bytes = 0};
    char buf[64];
    int mount;

    SHOW(name_to_handle_at(AT_FDCWD, "/proc/self/none", &h.head, &mount, 0));
    SHOW(name_to_handle_at(AT_FDCWD, "/proc/self", &h.head, &mount, 0x8000));
    SHOW(name_to_handle_at(99, "x", &h.head, &mount, 0));
    h.head.handle_bytes = 500;
    SHOW(open_by_handle_at(AT_FDCWD, &h.head, O_RDONLY));
    h.head.handle_bytes = 0;
    SHOW(open_by_handle_at(AT_FDCWD, &h.head, O_RDONLY));
    SHOW(open_by_handle_at(AT_FDCWD, (void *)16, O_RDONLY));
    printf("kinds: %d\n", syscall(SYS_sysfs, 3) > 3);
    printf("proc: %d\n", syscall(SYS_sysfs, 2, syscall(SYS_sysfs, 1, "proc"), buf) == 0 &&
                             strcmp(buf, "proc") == 0);
    SHOW(syscall(SYS_sysfs, 1, "nosuchfs"));
    SHOW(syscall(SYS_sysfs, 2, 10000, buf));
    SHOW(syscall(SYS_sysfs, 2, 0, 16));
    SHOW(syscall(SYS_sysfs, 1, 16));
    SHOW(syscall(SYS_sysfs, 4));
}

int main(void)
{
    resolving();
    hows();
    comparing();
    in_child("user", comparing_as_user, NULL);
    barriers();
    advice();
    whiteouts();
    rest();
    return 0;
}
