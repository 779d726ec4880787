/* System V message queues: order, types, sizes, waiting, removal under waiters, control, errors. */
#include "guest.h"
#include <sys/ipc.h>
#include <sys/msg.h>

#ifndef MSG_COPY
#define MSG_COPY 040000
#endif

static int id;

struct text {
    long type;
    char text[16384];
};

static int put(long type, const char *text, int flags)
{
    struct text t = {.type = type};

    strcpy(t.text, text);
    return msgsnd(id, &t, strlen(text), flags);
}

static void take(const char *what, long type, int flags)
{
    struct text t = {0};
    ssize_t n = msgrcv(id, &t, sizeof(t.text), type, flags | IPC_NOWAIT);

    if (n < 0)
        printf("%s: %s\n", what, error_name(errno));
    else
        printf("%s: %zd, type %ld, %.*s\n", what, n, t.type, (int)n, t.text);
}

static void types(void)
{
    struct text t;

    put(3, "three", 0);
    put(1, "one", 0);
    put(2, "two", 0);
    put(3, "three again", 0);
    put(5, "", 0);
    take("a copy of the second", 1, MSG_COPY);
    take("a copy of none", 9, MSG_COPY);
    take("any", 0, 0);
    take("type 3", 3, 0);
    take("type 4", 4, 0);
    take("up to 2", -2, 0);
    take("not 2", 2, MSG_EXCEPT);
    SHOW(msgrcv(id, &t, 2, 0, IPC_NOWAIT));
    SHOW(msgrcv(id, &t, 2, 0, IPC_NOWAIT | MSG_NOERROR));
    printf("%.2s\n", t.text);
    take("empty", 0, 0);
}

static void large(void)
{
    static struct text t, back;

    t.type = 7;
    for (int i = 0; i < 8192; i++)
        t.text[i] = (char)('a' + i % 23);
    SHOW(msgsnd(id, &t, 8192, 0));
    SHOW(msgrcv(id, &back, 8192, 0, 0));
    SHOW(memcmp(t.text, back.text, 8192));
    SHOW(msgsnd(id, &t, 8193, 0));
    SHOW(msgsnd(id, &t, 8192, 0));
    SHOW(msgsnd(id, &t, 8192, 0));
    SHOW(msgsnd(id, &t, 1, IPC_NOWAIT));
    SHOW(msgrcv(id, &back, 8192, 0, 0));
    SHOW(msgrcv(id, &back, 8192, 0, 0));
    SHOW(msgsnd(id, &t, -1, 0));
    t.type = 0;
    SHOW(msgsnd(id, &t, 1, 0));
    SHOW(msgsnd(id, (void *)8, 1, 0));
    SHOW(msgrcv(id, &t, -1, 0, 0));
    SHOW(msgsnd(-1, &t, 1, 0));
    SHOW(msgrcv(id + 1, &t, 1, 0, 0));
    SHOW(msgrcv(id, &t, 1, 0, MSG_COPY));
    SHOW(msgrcv(id, &t, 1, 0, MSG_COPY | MSG_EXCEPT | IPC_NOWAIT));
}

static void nothing(int signo)
{
    (void)signo;
}

static void waiting(void)
{
    struct sigaction act = {.sa_handler = nothing, .sa_flags = SA_RESTART};
    static struct text t;
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        SHOW(msgrcv(id, &t, 100, 4, 0));
        printf("%s\n", t.text);
        _exit(0);
    }
    usleep(20000);
    put(3, "not this", 0);
    put(4, "this", 0);
    waitpid(pid, NULL, 0);
    take("left", 0, 0);
    t.type = 1;
    msgsnd(id, &t, 8192, 0);
    msgsnd(id, &t, 8192, 0);
    pid = fork();
    if (pid == 0) {
        SHOW(put(2, "at last", 0));
        _exit(0);
    }
    usleep(20000);
    msgrcv(id, &t, 8192, 0, 0);
    waitpid(pid, NULL, 0);
    take("the sender's", 2, 0);
    msgrcv(id, &t, 8192, 0, 0);
    pid = fork();
    if (pid == 0) {
        sigaction(SIGALRM, &act, NULL);
        ualarm(30000, 0);
        SHOW(msgrcv(id, &t, 100, 0, 0));
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    pid = fork();
    if (pid == 0) {
        msgrcv(id, &t, 100, 0, 0);
        _exit(0);
    }
    usleep(20000);
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    print_status("receiver", status);
}

static void control(void)
{
    struct msqid_ds d;
    int status;
    pid_t pid;

    put(1, "12345", 0);
    SHOW(msgctl(id, IPC_STAT, &d));
    printf("%lu %lu %lu %o %d %d\n", (unsigned long)d.msg_qnum, (unsigned long)d.__msg_cbytes,
           (unsigned long)d.msg_qbytes, d.msg_perm.mode, d.msg_lspid == getpid(), d.msg_stime != 0);
    d.msg_qbytes = 6;
    SHOW(msgctl(id, IPC_SET, &d));
    SHOW(put(1, "12", IPC_NOWAIT));
    SHOW(put(1, "1", IPC_NOWAIT));
    d.msg_qbytes = 100000;
    SHOW(msgctl(id, IPC_SET, &d));
    SHOW(msgctl(id, 99, &d));
    take("first", 0, 0);
    take("second", 0, 0);
    pid = fork();
    if (pid == 0) {
        struct text t;
        SHOW(msgrcv(id, &t, 100, 0, 0));
        _exit(0);
    }
    usleep(30000);
    SHOW(msgctl(id, IPC_RMID, NULL));
    waitpid(pid, &status, 0);
    SHOW(msgctl(id, IPC_RMID, NULL));
    SHOW(put(1, "1", 0));
}

static void getting(void)
{
    int first, key = 0x5e3b;
    struct msqid_ds d;

    SHOW(msgget(key, 0));
    SHOW((first = msgget(key, IPC_CREAT | 0600)) >= 0);
    SHOW(msgget(key, IPC_CREAT | IPC_EXCL | 0600));
    SHOW(msgget(key, 0) == first);
    if (fork() == 0) {
        DIE_UNLESS(setresgid(1000, 1000, 1000) == 0 && setresuid(1000, 1000, 1000) == 0);
        id = first;
        SHOW(msgget(key, 0400));
        SHOW(put(1, "1", 0));
        take("another's", 0, 0);
        SHOW(msgctl(id, IPC_STAT, &d));
        SHOW(msgctl(id, IPC_RMID, NULL));
        id = msgget(IPC_PRIVATE, 0600);
        SHOW(msgctl(id, IPC_STAT, &d));
        d.msg_qbytes = 20000;
        SHOW(msgctl(id, IPC_SET, &d));
        SHOW(msgctl(id, IPC_RMID, NULL));
        _exit(0);
    }
    wait(NULL);
    SHOW(msgctl(first, IPC_RMID, NULL));
}

static void shown(void)
{
    char line[250];
    FILE *f = fopen("/proc/sysvipc/msg", "r");
    int key, number, mode;
    unsigned bytes, n;

    put(1, "abc", 0);
    fgets(line, sizeof(line), f);
    printf("%s", line);
    while (fgets(line, sizeof(line), f))
        if (sscanf(line, "%d %d %o %u %u", &key, &number, &mode, &bytes, &n) == 5 && number == id)
            printf("%d %o %u %u, %zu characters\n", key, mode, bytes, n, strlen(line));
    fclose(f);
    take("shown", 0, 0);
}

int main(void)
{
    id = msgget(IPC_PRIVATE, 0600);
    types();
    large();
    waiting();
    shown();
    control();
    getting();
    return 0;
}
