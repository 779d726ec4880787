/* ioprio_set and ioprio_get: classes, levels, whose, and for whom it is forbidden. Advice that asks
 * for nothing. */
#include "guest.h"

CHANGES_THE_MACHINE("/proc/sys/vm/swappiness");

#define VALUE(class, level) ((class) << 13 | (level))
#define NOBODY              65534

static long set(int which, int who, int value)
{
    return syscall(SYS_ioprio_set, which, who, value);
}

static long get(int which, int who)
{
    return syscall(SYS_ioprio_get, which, who);
}

static void test_values(void)
{
    SHOW(get(1, 0));
    SHOW(get(2, 0));
    for (int class = 0; class < 5; class ++) {
        printf("class %d\n", class);
        SHOW(set(1, 0, VALUE(class, 0)));
        SHOW(set(1, 0, VALUE(class, 7)));
        SHOW(set(1, 0, VALUE(class, 8)));
        SHOW(get(1, 0));
    }
    SHOW(set(1, 0, -1));
    SHOW(set(0, 0, VALUE(2, 4)));
    SHOW(set(4, 0, VALUE(2, 4)));
    SHOW(get(0, 0));
    SHOW(get(4, 0));
    SHOW(set(1, 32767, VALUE(2, 4)));
    SHOW(get(1, 32767));
    SHOW(get(2, 32767));
    SHOW(get(3, 32767));
    SHOW(set(1, 0, VALUE(2, 3)));
    SHOW(get(1, 0));
}

static void in_group(void *arg)
{
    (void)arg;
    setpgid(0, 0);
    SHOW(get(1, 0));
    SHOW(get(2, 0));
    SHOW(set(2, 0, VALUE(2, 1)));
    SHOW(get(1, getpid()));
    SHOW(set(1, 0, 0));
    SHOW(get(2, 0));
    SHOW(setpriority(PRIO_PROCESS, 0, 10));
    SHOW(get(2, 0));
}

static void as_nobody(void *arg)
{
    (void)arg;
    DIE_UNLESS(setresuid(NOBODY, NOBODY, NOBODY) == 0);
    SHOW(set(1, 0, VALUE(1, 4)));
    SHOW(set(1, 0, VALUE(1, 9)));
    SHOW(set(1, 0, VALUE(2, 4)));
    SHOW(set(1, 0, VALUE(3, 0)));
    SHOW(set(1, 1, VALUE(2, 4)));
    SHOW(get(3, NOBODY));
}

static void test_advice(void)
{
    char *p = map_anon(4);

    for (int advice = 12; advice <= 17; advice++) {
        printf("advice %d\n", advice);
        SHOW(madvise(p, 4 * PAGE, advice));
        SHOW(madvise(p + 1, PAGE, advice));
        SHOW(madvise(p, 0, advice));
        SHOW(madvise((void *)(16 * PAGE), PAGE, advice));
    }
}

static void write_swappiness(const char *text)
{
    char now[16] = "";
    int fd = open("/proc/sys/vm/swappiness", O_RDWR);
    ssize_t n = write(fd, text, strlen(text));

    printf("swappiness %s: %s", text, n < 0 ? error_name(errno) : "ok");
    DIE_UNLESS(pread(fd, now, sizeof(now) - 1, 0) > 0);
    printf(", is %s", now);
    close(fd);
}

int main(void)
{
    test_values();
    in_child("group", in_group, NULL);
    in_child("nobody", as_nobody, NULL);
    test_advice();
    write_swappiness("10");
    write_swappiness("200");
    write_swappiness("201");
    write_swappiness("-1");
    write_swappiness("60");
    return 0;
}
