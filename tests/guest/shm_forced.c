/* kernel.shm_rmid_forced: segments go with their last attach, or with who made them. */
#include "guest.h"
#include <sys/ipc.h>
#include <sys/shm.h>

CHANGES_THE_MACHINE("/proc/sys/kernel");

static void set(const char *value)
{
    int fd = open("/proc/sys/kernel/shm_rmid_forced", O_WRONLY);

    DIE_UNLESS(fd >= 0);
    errno = 0;
    printf("set %s: %s\n", value, write(fd, value, strlen(value)) < 0 ? error_name(errno) : "ok");
    close(fd);
}

static int make(void)
{
    int id = shmget(IPC_PRIVATE, PAGE, 0600);

    DIE_UNLESS(id >= 0);
    return id;
}

static int child_makes(bool attach)
{
    int p[2], id = -1, status;
    pid_t pid;

    DIE_UNLESS(pipe(p) == 0);
    pid = fork();
    if (pid == 0) {
        id = make();
        if (attach)
            shmat(id, NULL, 0);
        write(p[1], &id, sizeof(id));
        _exit(0);
    }
    DIE_UNLESS(read(p[0], &id, sizeof(id)) == sizeof(id) && waitpid(pid, &status, 0) == pid);
    close(p[0]);
    close(p[1]);
    return id;
}

static void show(const char *what, int id)
{
    struct shmid_ds ds;

    printf("%s: %s\n", what, shmctl(id, IPC_STAT, &ds) ? error_name(errno) : "there");
}

int main(void)
{
    int orphan, mine;
    char *at;

    printf("at first %ld\n", number_in("/proc/sys/kernel/shm_rmid_forced"));
    orphan = child_makes(false);
    mine = make();
    show("an orphan", orphan);
    set("1");
    show("the orphan", orphan);
    show("mine", mine);
    at = shmat(mine, NULL, 0);
    DIE_UNLESS(at != (char *)-1);
    show("attached", mine);
    SHOW(shmdt(at));
    show("detached", mine);
    show("made by who is gone", child_makes(false));
    show("attached by who is gone", child_makes(true));
    mine = make();
    SHOW(shmctl(mine, IPC_RMID, NULL));
    set("0");
    orphan = child_makes(true);
    show("without", orphan);
    SHOW(shmctl(orphan, IPC_RMID, NULL));
    set("2");
    return 0;
}
