/* The ids of System V objects that are asked for, as who restores processes does. */
#include "guest.h"
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

CHANGES_THE_MACHINE("the id of the next object");

static int make_queue(void)
{
    return msgget(IPC_PRIVATE, 0600);
}

static int remove_queue(int id)
{
    return msgctl(id, IPC_RMID, NULL);
}

static int make_set(void)
{
    return semget(IPC_PRIVATE, 1, 0600);
}

static int remove_set(int id)
{
    return semctl(id, 0, IPC_RMID);
}

static int make_segment(void)
{
    return shmget(IPC_PRIVATE, PAGE, 0600);
}

static int remove_segment(int id)
{
    return shmctl(id, IPC_RMID, NULL);
}

static const struct kind {
    const char *name;
    int (*make)(void);
    int (*remove)(int id);
} kinds[] = {{"msg", make_queue, remove_queue},
             {"sem", make_set, remove_set},
             {"shm", make_segment, remove_segment}};

static int next_id(const struct kind *k)
{
    return number_in("/proc/sys/kernel/%s_next_id", k->name);
}

static const char *ask(const struct kind *k, int id)
{
    char name[64], text[32];
    int fd, n;

    snprintf(name, sizeof(name), "/proc/sys/kernel/%s_next_id", k->name);
    fd = open(name, O_WRONLY);
    if (fd < 0)
        return error_name(errno);
    snprintf(text, sizeof(text), "%d", id);
    n = write(fd, text, strlen(text));
    n = n < 0 ? errno : 0;
    close(fd);
    return error_name(n);
}

static void restore(const struct kind *k)
{
    int gone = k->make(), again, other;

    DIE_UNLESS(gone >= 0);
    printf("%s: next %d", k->name, next_id(k));
    DIE_UNLESS(k->remove(gone) == 0);
    printf(", asked for the old: %s", ask(k, gone));
    printf(", shown %s", next_id(k) == gone ? "so" : "otherwise");
    again = k->make();
    printf(", is %s, next %d\n", again == gone ? "the old" : "another", next_id(k));
    ask(k, gone);
    other = k->make();
    printf("taken: %s, number %s\n", other == gone ? "given twice" : "another place",
           other >> 15 == gone >> 15 ? "as asked" : "another");
    DIE_UNLESS(k->remove(again) == 0 && k->remove(other) == 0);
    ask(k, 5 << 15 | 3);
    again = k->make();
    printf("chosen: %d of %d\n", again & 32767, again >> 15);
    DIE_UNLESS(k->remove(again) == 0);
    ask(k, 0);
    again = k->make();
    printf("least: %d\n", again);
    DIE_UNLESS(k->remove(again) == 0);
    printf("-1: %s, next %d\n", ask(k, -1), next_id(k));
}

int main(void)
{
    for (int i = 0; i < 3; i++)
        restore(&kinds[i]);
    return 0;
}
