/* System V shared memory: every call and each of its errors; who is attached, across fork, exec,
 * exit, munmap and mprotect; removal with the last attach; /proc/sysvipc/shm and maps. */
#include "guest.h"
#include <sys/ipc.h>
#include <sys/shm.h>

#define RW (PROT_READ | PROT_WRITE)

static key_t key;

static int make(size_t size)
{
    int id = shmget(IPC_PRIVATE, size, IPC_CREAT | 0600);

    DIE_UNLESS(id >= 0);
    return id;
}

static char *attach(int id, void *at, int flags)
{
    char *p = shmat(id, at, flags);

    DIE_UNLESS(p != (char *)-1);
    return p;
}

static void show_attaches(const char *what, int id)
{
    struct shmid_ds d;

    if (shmctl(id, IPC_STAT, &d))
        printf("%s: %s\n", what, error_name(errno));
    else
        printf("%s: %ld attached\n", what, (long)d.shm_nattch);
}

static void getting(void)
{
    int id;

    TRY(shmget(key, 100, 0600));
    TRY(shmget(key, 0, IPC_CREAT | 0600));
    id = shmget(key, 5000, IPC_CREAT | IPC_EXCL | 0600);
    DIE_UNLESS(id >= 0);
    TRY(shmget(key, 5000, IPC_CREAT | IPC_EXCL | 0600));
    printf("found again: %d %d %d %d\n", shmget(key, 5000, 0600) == id,
           shmget(key, 5000, IPC_CREAT | 0600) == id, shmget(key, 0, 0) == id,
           shmget(key, 1, IPC_EXCL) == id);
    TRY(shmget(key, 5001, 0600));
    TRY(shmget(key, 4096, 0600));
    SHOW(shmctl(id, IPC_RMID, NULL));
    SHOW(shmctl(id, IPC_RMID, NULL));
    TRY(shmget(key, 0, 0));
    TRY(shmget(IPC_PRIVATE, 0, 0600));
}

static void contents(void)
{
    int id = make(PAGE + 100);
    char *p = attach(id, NULL, 0), *q = attach(id, NULL, SHM_RDONLY);

    printf("two places: %d, zero: %d\n", p != q, all_bytes(p, 2 * PAGE, 0));
    strcpy(p + PAGE, "hello");
    printf("the other sees: %s\n", q + PAGE);
    p[2 * PAGE - 1] = 'e';
    printf("up to the end of the page: %c\n", q[2 * PAGE - 1]);
    PROBE_WRITE(q);
    SHOW(mprotect(q, PAGE, RW));
    if (fork() == 0) {
        strcpy(p, "from the child");
        _exit(0);
    }
    wait(NULL);
    printf("%s\n", q);
    SHOW(shmdt(p));
    SHOW(shmdt(p));
    PROBE_READ(p);
    p = attach(id, NULL, 0);
    printf("stays without attaches: %s\n", p + PAGE);
    SHOW(shmctl(id, IPC_RMID, NULL));
    printf("removed, still there: %s\n", p);
    SHOW(shmdt(p));
    SHOW(shmdt(q));
    show_attaches("after the last", id);
}

static void attaching(void)
{
    int id = make(3 * PAGE);
    char *room = map(10 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *p;

    TRY(shmat(-1, NULL, 0));
    TRY(shmat(id ^ 0x4000, NULL, 0));
    TRY(shmat(id, NULL, SHM_REMAP));
    TRY(shmat(id, room, 0));
    munmap(room + PAGE, 3 * PAGE);
    printf("at an address: %d\n", shmat(id, room + PAGE, 0) == room + PAGE);
    TRY(shmat(id, room + 2 * PAGE, 0));
    TRY(shmat(id, room + 5 * PAGE + 1, 0));
    TRY(shmat(id, room + 5 * PAGE + 1, SHM_RND));
    printf("remapped: %d\n", shmat(id, room + 5 * PAGE, SHM_REMAP) == room + 5 * PAGE);
    printf("rounded: %d\n",
           shmat(id, room + 5 * PAGE + 77, SHM_REMAP | SHM_RND) == room + 5 * PAGE);
    TRY(shmat(id, (void *)77, SHM_REMAP | SHM_RND));
    show_attaches("two", id);
    p = attach(id, NULL, SHM_EXEC);
    memcpy(p, "\xb8\x2a\x00\x00\x00\xc3", 6); /* mov $42, %eax; ret */
    printf("code runs: %d\n", ((int (*)(void))p)());
    SHOW(shmdt(p));
    SHOW(shmdt(p + 1));
    SHOW(shmdt(room));
    SHOW(shmdt(room + 2 * PAGE));
    SHOW(shmdt(room + PAGE));
    SHOW(shmdt(room + 5 * PAGE));
    show_attaches("none", id);
    SHOW(shmctl(id, IPC_RMID, NULL));
    munmap(room, 10 * PAGE);
}

static void counting(void)
{
    int id = make(4 * PAGE), down[2], up[2];
    char *p = attach(id, NULL, 0), c;

    show_attaches("one", id);
    DIE_UNLESS(pipe(down) == 0 && pipe(up) == 0);
    if (fork() == 0) {
        show_attaches("in the child", id);
        DIE_UNLESS(write(up[1], "x", 1) == 1 && read(down[0], &c, 1) == 1);
        _exit(0);
    }
    DIE_UNLESS(read(up[0], &c, 1) == 1);
    show_attaches("with a child", id);
    DIE_UNLESS(write(down[1], "x", 1) == 1);
    wait(NULL);
    show_attaches("it has exited", id);
    if (fork() == 0) {
        execl("/proc/self/exe", "exec", "attaches", NULL);
        _exit(1);
    }
    wait(NULL);
    show_attaches("a child has executed", id);
    SHOW(mprotect(p + PAGE, PAGE, PROT_READ));
    show_attaches("three pieces", id);
    SHOW(mprotect(p + PAGE, PAGE, RW));
    show_attaches("three alike", id);
    SHOW(munmap(p + PAGE, PAGE));
    show_attaches("one less", id);
    SHOW(munmap(p, PAGE));
    show_attaches("the first gone", id);
    SHOW(shmctl(id, IPC_RMID, NULL));
    show_attaches("removed", id);
    SHOW(shmdt(p)); /* what is left of it */
    show_attaches("the rest gone", id);
    PROBE_READ(p + 2 * PAGE);
    SHOW(shmdt(p));
}

static void removed_by_exit(void)
{
    int id = make(PAGE);

    if (fork() == 0) {
        char *p = attach(id, NULL, 0);
        SHOW(shmctl(id, IPC_RMID, NULL));
        show_attaches("marked", id);
        strcpy(p, "x");
        _exit(0);
    }
    wait(NULL);
    show_attaches("gone with the process", id);
}

static void control(void)
{
    int id = make(5000), keep = make(1);
    struct shmid_ds d;
    struct shminfo info;
    struct shm_info totals;
    char *p;

    DIE_UNLESS(shmctl(id, IPC_STAT, &d) == 0);
    printf("size %ld, mode %o, key %d, attached %ld, last pid %d\n", (long)d.shm_segsz,
           d.shm_perm.mode, d.shm_perm.__key, (long)d.shm_nattch, d.shm_lpid);
    printf("mine: %d %d %d %d, times: %d %d %d\n", d.shm_cpid == getpid(),
           d.shm_perm.uid == geteuid(), d.shm_perm.cuid == geteuid(), d.shm_perm.gid == getegid(),
           d.shm_atime == 0, d.shm_dtime == 0, d.shm_ctime > 1000000);
    p = attach(id, NULL, 0);
    DIE_UNLESS(shmctl(id, IPC_STAT, &d) == 0);
    printf("attached: %d %d %d\n", d.shm_lpid == getpid(), d.shm_atime > 1000000, d.shm_dtime == 0);
    shmdt(p);
    DIE_UNLESS(shmctl(id, IPC_STAT, &d) == 0);
    printf("detached: %d\n", d.shm_dtime > 1000000);
    d.shm_perm.mode = 04640;
    SHOW(shmctl(id, IPC_SET, &d));
    DIE_UNLESS(shmctl(id, IPC_STAT, &d) == 0);
    printf("mode %o\n", d.shm_perm.mode);
    SHOW(shmctl(id, SHM_LOCK, NULL));
    DIE_UNLESS(shmctl(id, IPC_STAT, &d) == 0);
    printf("mode %o\n", d.shm_perm.mode);
    SHOW(shmctl(id, SHM_UNLOCK, NULL));
    p = attach(id, NULL, 0);
    SHOW(shmctl(id, IPC_RMID, NULL));
    DIE_UNLESS(shmctl(id, IPC_STAT, &d) == 0);
    printf("mode %o, key %d\n", d.shm_perm.mode, d.shm_perm.__key);
    shmdt(attach(id, NULL, 0));
    printf("a marked one could be attached\n");
    shmdt(p);
    SHOW(syscall(SYS_shmctl, keep, IPC_STAT, -1));
    SHOW(syscall(SYS_shmctl, keep, IPC_STAT, NULL));
    SHOW(syscall(SYS_shmctl, keep, IPC_SET, NULL));
    SHOW(syscall(SYS_shmctl, keep, IPC_INFO, NULL));
    SHOW(syscall(SYS_shmctl, keep, SHM_INFO, NULL));
    SHOW(shmctl(id, 99, &d));
    SHOW(shmctl(-1, IPC_STAT, &d));
    SHOW(shmctl(id, -1, &d));
    SHOW(shmctl(id ^ 0x4000, IPC_STAT, &d));
    SHOW(shmctl(id ^ 0x4000, IPC_RMID, NULL));
    SHOW(shmctl(id ^ 0x4000, SHM_LOCK, NULL));
    printf("limits: %d, ", shmctl(0, IPC_INFO, (void *)&info) >= 0);
    printf("mni %ld, min %ld\n", (long)info.shmmni, (long)info.shmmin);
    printf("totals: %d, ", shmctl(0, SHM_INFO, (void *)&totals) >= 0);
    printf("one at least: %d\n", totals.used_ids >= 1 && totals.shm_tot >= 1);
    SHOW(shmctl(keep, IPC_RMID, NULL));
}

static void as_nobody(void *arg)
{
    int id = *(int *)arg;
    struct shmid_ds d;

    DIE_UNLESS(setgid(65534) == 0 && setuid(65534) == 0);
    TRY(shmat(id, NULL, 0));
    TRY(shmat(id, NULL, SHM_RDONLY));
    TRY(shmat(id, NULL, SHM_RDONLY | SHM_EXEC));
    TRY(shmget(key, 0, 0600));
    TRY(shmget(key, 0, 0400));
    SHOW(shmctl(id, IPC_STAT, &d));
    SHOW(shmctl(id, IPC_SET, &d));
    SHOW(shmctl(id, IPC_RMID, NULL));
    SHOW(shmctl(id, SHM_LOCK, NULL));
}

/* What a user has locked is below his limit, in pages; he who made it may, whoever he is. */
static void locks_as_user(void *arg)
{
    struct rlimit limit = {3 * PAGE + 5, 3 * PAGE + 5}, none = {0, 0};
    int ids[3];

    (void)arg;
    DIE_UNLESS(setgid(65534) == 0 && setuid(65534) == 0);
    DIE_UNLESS(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
    for (int i = 0; i < 3; i++)
        DIE_UNLESS((ids[i] = shmget(IPC_PRIVATE, i * PAGE + 1, 0600)) >= 0);
    SHOW(shmctl(ids[1], SHM_LOCK, NULL));
    SHOW(shmctl(ids[1], SHM_LOCK, NULL));
    SHOW(shmctl(ids[2], SHM_LOCK, NULL));
    SHOW(shmctl(ids[0], SHM_LOCK, NULL));
    SHOW(shmctl(ids[1], SHM_UNLOCK, NULL));
    SHOW(shmctl(ids[1], SHM_UNLOCK, NULL));
    SHOW(shmctl(ids[2], SHM_LOCK, NULL));
    SHOW(shmctl(ids[0], IPC_RMID, NULL)); /* gives it back */
    SHOW(shmctl(ids[2], SHM_LOCK, NULL));
    DIE_UNLESS(setrlimit(RLIMIT_MEMLOCK, &none) == 0);
    SHOW(shmctl(ids[2], SHM_LOCK, NULL));
    SHOW(shmctl(ids[2], SHM_UNLOCK, NULL));
    SHOW(shmctl(ids[1], IPC_RMID, NULL));
    SHOW(shmctl(ids[2], IPC_RMID, NULL));
}

/* root passes by; others need their bits. */
static void permissions(void)
{
    int id = shmget(key, PAGE, IPC_CREAT | 0604);
    struct shmid_ds d;

    if (geteuid() == 0)
        in_child("nobody, 0604", as_nobody, &id);
    DIE_UNLESS(shmctl(id, IPC_STAT, &d) == 0);
    d.shm_perm.mode = 0600;
    SHOW(shmctl(id, IPC_SET, &d));
    if (geteuid() == 0)
        in_child("nobody, 0600", as_nobody, &id);
    SHOW(shmctl(id, IPC_RMID, NULL));
}

static bool in_file(const char *path, const char *text)
{
    char line[400];
    bool found = false;
    FILE *f = fopen(path, "r");

    while (f && fgets(line, sizeof(line), f))
        found |= strstr(line, text) != NULL;
    if (f)
        fclose(f);
    return found;
}

static void visible(void)
{
    int id = shmget(key, 2 * PAGE, IPC_CREAT | 0640);
    char *p = attach(id, NULL, 0), text[100];

    snprintf(text, sizeof(text), "/SYSV%08x (deleted)\n", key);
    printf("in maps: %d\n", in_file("/proc/self/maps", text));
    snprintf(text, sizeof(text), "%10d %10d   640 ", key, id);
    printf("in sysvipc: %d\n", in_file("/proc/sysvipc/shm", text));
    SHOW(shmctl(id, IPC_RMID, NULL));
    snprintf(text, sizeof(text), "/SYSV%08x (deleted)\n", key);
    printf("in maps: %d\n", in_file("/proc/self/maps", text));
    snprintf(text, sizeof(text), "%10d %10d  1640 ", 0, id);
    printf("in sysvipc: %d\n", in_file("/proc/sysvipc/shm", text));
    shmdt(p);
    printf("in sysvipc: %d\n", in_file("/proc/sysvipc/shm", text));
}

/* Both ways into the kernel: ipc(2) and the calls of their own. */
static void raw_calls(void)
{
    long id = syscall(SYS_shmget, IPC_PRIVATE, PAGE, 0600);
    unsigned at = 0;
    long p = syscall(SYS_shmat, id, 0, 0);

    printf("direct: %d %d\n", id >= 0, p != -1);
    strcpy((char *)p, "direct");
    TRY(syscall(SYS_ipc, 21, id, 0, &at, 0));
    printf("%s\n", (char *)at);
    SHOW(syscall(SYS_ipc, 21 | 1 << 16, id, 0, &at, 0));
    SHOW(syscall(SYS_ipc, 21, id, 0, NULL, 0));
    SHOW(syscall(SYS_ipc, 22, 0, 0, 0, at));
    SHOW(syscall(SYS_shmdt, p));
    SHOW(syscall(SYS_ipc, 24, id, 0 | 0x100, 0, 0));
    SHOW(syscall(SYS_ipc, 99, 0, 0, 0, 0));
}

int main(int argc, char **argv)
{
    (void)argv;
    if (argc > 1)
        return 0;
    key = 0x46000000 + getpid();
    catch_faults();
    getting();
    contents();
    attaching();
    counting();
    removed_by_exit();
    control();
    permissions();
    if (geteuid() == 0)
        in_child("locks", locks_as_user, NULL);
    visible();
    raw_calls();
    return 0;
}
