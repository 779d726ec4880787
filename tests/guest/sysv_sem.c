/* System V semaphores: operations, waiting, undo, removal under waiters, control, rights, errors.
 */
#include "guest.h"
#include <sys/ipc.h>
#include <sys/sem.h>
#include <time.h>

union semun {
    int val;
    struct semid_ds *buf;
    unsigned short *array;
    struct seminfo *info;
};

static int id;

static int op(int n, int change, int flags)
{
    struct sembuf b = {(unsigned short)n, (short)change, (short)flags};

    return semop(id, &b, 1);
}

static void values(const char *what)
{
    unsigned short v[4];

    if (semctl(id, 0, GETALL, v) < 0)
        printf("%s: %s\n", what, error_name(errno));
    else
        printf("%s: %d %d %d %d\n", what, v[0], v[1], v[2], v[3]);
}

static void wait_for_waiters(int n, int cmd, int count)
{
    for (int i = 0; i < 500 && semctl(id, n, cmd) != count; i++)
        usleep(10000);
}

static void operations(void)
{
    struct sembuf both[3] = {{0, 2, 0}, {1, -1, IPC_NOWAIT}, {2, 1, 0}};
    unsigned short all[4] = {1, 2, 3, 4};
    struct semid_ds d;

    SHOW(op(0, 1, 0));
    SHOW(op(0, -2, IPC_NOWAIT));
    SHOW(op(0, 0, IPC_NOWAIT));
    SHOW(op(0, -1, 0));
    SHOW(op(0, 0, 0));
    SHOW(semop(id, both, 3));
    values("none of it");
    SHOW(semctl(id, 1, SETVAL, 1));
    SHOW(semop(id, both, 3));
    values("all of it");
    SHOW(semctl(id, 0, SETALL, all));
    values("set");
    SHOW(semctl(id, 3, GETVAL));
    SHOW(semctl(id, 3, GETPID) == getpid());
    SHOW(op(0, 32767, 0));
    SHOW(semctl(id, 0, SETVAL, 32768));
    SHOW(semctl(id, 0, SETVAL, -1));
    SHOW(semctl(id, 4, SETVAL, 1));
    SHOW(semctl(id, -1, GETVAL));
    SHOW(op(4, 1, 0));
    SHOW(semop(id, both, 0));
    SHOW(semop(id, both, 501));
    SHOW(semop(id, (void *)8, 1));
    SHOW(semop(-1, both, 1));
    SHOW(semop(id + 1, both, 1));
    SHOW(semctl(id, 0, IPC_STAT, &d));
    printf("%lu %o %d\n", (unsigned long)d.sem_nsems, d.sem_perm.mode, d.sem_otime != 0);
    d.sem_perm.mode = 0640;
    SHOW(semctl(id, 0, IPC_SET, &d));
    SHOW(semctl(id, 0, IPC_STAT, &d));
    printf("%o\n", d.sem_perm.mode);
    SHOW(semctl(id, 0, 99));
}

static void waiting(void)
{
    struct timespec soon = {0, 20000000}, wrong = {0, 1000000000};
    struct sembuf take = {0, -3, 0};
    pid_t a, b;
    int status;

    semctl(id, 0, SETVAL, 0);
    SHOW(semtimedop(id, &take, 1, &soon));
    SHOW(semtimedop(id, &take, 1, &wrong));
    a = fork();
    if (a == 0)
        _exit(op(0, -3, 0) ? errno : 0);
    wait_for_waiters(0, GETNCNT, 1);
    SHOW(semctl(id, 0, GETNCNT));
    op(0, 2, 0);
    SHOW(semctl(id, 0, GETVAL));
    op(0, 2, 0);
    waitpid(a, &status, 0);
    print_status("took", status);
    SHOW(semctl(id, 0, GETVAL));
    b = fork();
    if (b == 0)
        _exit(op(0, 0, 0) ? errno : 0);
    wait_for_waiters(0, GETZCNT, 1);
    SHOW(semctl(id, 0, GETZCNT));
    op(0, -1, 0);
    waitpid(b, &status, 0);
    print_status("zero", status);
    /* Two wait for one: who came first. */
    a = fork();
    if (a == 0)
        _exit(op(0, -1, 0) ? errno : 0);
    wait_for_waiters(0, GETNCNT, 1);
    b = fork();
    if (b == 0)
        _exit(op(0, -1, 0) ? errno : 0);
    wait_for_waiters(0, GETNCNT, 2);
    op(0, 1, 0);
    waitpid(a, &status, 0);
    print_status("the first", status);
    SHOW(waitpid(b, &status, WNOHANG));
    kill(b, SIGKILL);
    waitpid(b, &status, 0);
    print_status("killed", status);
    op(0, 1, 0);
    SHOW(semctl(id, 0, GETVAL));
    SHOW(semctl(id, 0, GETNCNT));
}

static void undo(void)
{
    pid_t pid;

    semctl(id, 0, SETVAL, 5);
    semctl(id, 1, SETVAL, 0);
    pid = fork();
    if (pid == 0) {
        op(0, -3, SEM_UNDO);
        op(1, 4, SEM_UNDO);
        op(0, 1, SEM_UNDO);
        values("in the child");
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    values("undone");
    pid = fork();
    if (pid == 0) {
        op(0, -3, SEM_UNDO);
        kill(getpid(), SIGKILL);
    }
    waitpid(pid, NULL, 0);
    values("killed");
    pid = fork();
    if (pid == 0) {
        op(0, -3, SEM_UNDO);
        semctl(id, 0, SETVAL, 1);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    values("set meanwhile");
    pid = fork();
    if (pid == 0) {
        op(0, 5, SEM_UNDO);
        op(0, -6, 0);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    values("not below zero");
    pid = fork();
    if (pid == 0) {
        op(2, -1, SEM_UNDO);
        execl("/proc/self/exe", "sysv_sem", "run", NULL);
        _exit(1);
    }
    waitpid(pid, NULL, 0);
    values("through exec");
}

static void removal(void)
{
    pid_t pid;
    int status;

    semctl(id, 0, SETVAL, 0);
    pid = fork();
    if (pid == 0)
        _exit(op(0, -1, SEM_UNDO) ? errno == EIDRM : 2);
    wait_for_waiters(0, GETNCNT, 1);
    SHOW(semctl(id, 0, IPC_RMID));
    waitpid(pid, &status, 0);
    print_status("removed under it", status);
    SHOW(op(0, 1, 0));
    SHOW(semctl(id, 0, IPC_RMID));
}

static void getting(void)
{
    int first, key = 0x5e3a;

    SHOW(semget(key, 1, 0));
    SHOW((first = semget(key, 2, IPC_CREAT | 0600)) >= 0);
    SHOW(semget(key, 2, IPC_CREAT | IPC_EXCL | 0600));
    SHOW(semget(key, 3, 0));
    SHOW(semget(key, 1, 0) == first);
    SHOW(semget(key, 0, 0) == first);
    SHOW(semget(IPC_PRIVATE, 0, 0600));
    SHOW(semget(IPC_PRIVATE, -1, 0600));
    SHOW(semget(IPC_PRIVATE, 32001, 0600));
    if (fork() == 0) {
        DIE_UNLESS(setresgid(1000, 1000, 1000) == 0 && setresuid(1000, 1000, 1000) == 0);
        id = first;
        SHOW(semget(key, 1, 0400));
        SHOW(semget(key, 1, 0) == first);
        SHOW(op(0, 1, 0));
        SHOW(semctl(id, 0, GETVAL));
        SHOW(semctl(id, 0, SETVAL, 1));
        SHOW(semctl(id, 0, IPC_RMID));
        _exit(0);
    }
    wait(NULL);
    SHOW(semctl(first, 0, IPC_RMID));
}

/* The shape of what ipcs reads. */
static void shown(void)
{
    char line[200];
    FILE *f = fopen("/proc/sysvipc/sem", "r");
    int key, number, mode, n;

    fgets(line, sizeof(line), f);
    printf("%s", line);
    while (fgets(line, sizeof(line), f))
        if (sscanf(line, "%d %d %o %d", &key, &number, &mode, &n) == 4 && number == id)
            printf("%d %o %d, %zu characters\n", key, mode, n, strlen(line));
    fclose(f);
}

int main(int argc, char **argv)
{
    if (argc > 0 && argv[1])
        return 0;
    id = semget(IPC_PRIVATE, 4, 0600);
    operations();
    waiting();
    undo();
    shown();
    removal();
    getting();
    return 0;
}
