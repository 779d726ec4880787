/* Flags of personality(2) that change what calls do. */
#include "guest.h"
#include <sys/personality.h>
#include <sys/utsname.h>

static void rights_of(const char *what, const void *at)
{
    char line[256], rights[8];
    unsigned long start, end;
    FILE *f = fopen("/proc/self/maps", "r");

    DIE_UNLESS(f);
    while (fgets(line, sizeof(line), f))
        if (sscanf(line, "%lx-%lx %7s", &start, &end, rights) == 3 && (uintptr_t)at >= start &&
            (uintptr_t)at < end)
            printf("%s: %s\n", what, rights);
    fclose(f);
}

static void readers(void)
{
    char *p;

    SHOW(personality(READ_IMPLIES_EXEC));
    p = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    rights_of("read", p);
    SHOW(mprotect(p, PAGE, PROT_WRITE));
    rights_of("write", p);
    SHOW(mprotect(p, PAGE, PROT_READ | PROT_WRITE));
    rights_of("both", p);
    SHOW(mprotect(p, PAGE, PROT_NONE));
    rights_of("none", p);
    SHOW(mprotect(p + 1, PAGE, PROT_READ));
    munmap(p, PAGE);
    SHOW(mprotect(p, PAGE, PROT_READ));
    int fd = open("/proc/self/exe", O_RDONLY);
    p = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
    rights_of("file", p);
    munmap(p, PAGE);
    close(fd);
    SHOW(personality(0));
    p = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    rights_of("without", p);
    munmap(p, PAGE);
}

static void names(void)
{
    struct utsname u;

    SHOW(personality(UNAME26));
    DIE_UNLESS(uname(&u) == 0);
    printf("release %.*s\n", (int)strcspn(u.release, "-"), u.release);
    SHOW(personality(0));
    DIE_UNLESS(uname(&u) == 0);
    printf("release %.*s\n", (int)strcspn(u.release, "."), u.release);
}

static void on_alarm(int signo)
{
    (void)signo;
}

static void waits(void)
{
    struct timeval tv = {0, 20000}, tick = {0, 10000};
    struct timespec ts = {0, 20000000};
    struct sigaction act = {.sa_handler = on_alarm};

    SHOW(syscall(SYS__newselect, 0, NULL, NULL, NULL, &tv));
    printf("left %ld\n", (long)tv.tv_usec);
    SHOW(personality(STICKY_TIMEOUTS));
    tv.tv_usec = 20000;
    SHOW(syscall(SYS__newselect, 0, NULL, NULL, NULL, &tv));
    printf("left %ld\n", (long)tv.tv_usec);
    SHOW(syscall(SYS_pselect6, 0, NULL, NULL, NULL, &ts, NULL));
    printf("left %ld\n", (long)ts.tv_nsec);
    sigaction(SIGALRM, &act, NULL);
    tv.tv_sec = 10;
    setitimer(ITIMER_REAL, &(struct itimerval){.it_value = tick}, NULL);
    SHOW(syscall(SYS__newselect, 0, NULL, NULL, NULL, &tv));
    printf("left %ld\n", (long)tv.tv_sec);
    SHOW(personality(0));
}

/* Which way mappings are placed; the first that is free after an exec. */
static void directions(void)
{
    char *first = map_anon(64), *second = map_anon(64), *third;

    printf("mappings go %s\n", second > first ? "up" : "down");
    munmap(first, 64 * PAGE);
    third = map_anon(32);
    printf("holes are filled from the %s\n", third == first ? "bottom" : "top");
    printf("below the middle: %d\n", first < (char *)0x50000000);
    SHOW(mmap(NULL, 0xbff00000, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

static void again(void *flags)
{
    char text[16];

    snprintf(text, sizeof(text), "%x", (unsigned)(uintptr_t)flags);
    DIE_UNLESS(personality((uintptr_t)flags) >= 0);
    execl("/proc/self/exe", "personalities", text, (char *)NULL);
}

static void again_as_nobody(void *flags)
{
    DIE_UNLESS(setuid(65534) == 0);
    again(flags);
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        printf("asked for %s, has %x\n", argv[1], personality(0xffffffff));
        rights_of("page 0", NULL);
        directions();
        return 0;
    }
    readers();
    names();
    waits();
    in_child("zero", again, (void *)MMAP_PAGE_ZERO);
    in_child("zero, user", again_as_nobody, (void *)MMAP_PAGE_ZERO);
    in_child("implies", again, (void *)READ_IMPLIES_EXEC);
    in_child("old layout", again, (void *)(ADDR_COMPAT_LAYOUT | UNAME26));
    return 0;
}
