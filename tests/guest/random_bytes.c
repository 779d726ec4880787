/* getrandom, /dev/random and /dev/urandom: flags, lengths, errors; a program's registers survive
 * them. */
#include <linux/random.h>
#include <sys/ioctl.h>
#include "guest.h"
#include <sys/random.h>

static unsigned char a[100000], b[100000];

/* Bytes that look random: every value comes up about as often as it should. */
static const char *looks(const unsigned char *p, size_t n)
{
    unsigned count[256] = {0};

    for (size_t i = 0; i < n; i++)
        count[p[i]]++;
    for (int i = 0; i < 256; i++)
        if (count[i] < n / 256 / 2 || count[i] > n / 256 * 2)
            return "not random";
    return "random";
}

static void flags(void)
{
    SHOW(getrandom(a, 16, 0));
    SHOW(getrandom(a, 16, GRND_NONBLOCK));
    SHOW(getrandom(a, 16, GRND_RANDOM));
    SHOW(getrandom(a, 16, GRND_RANDOM | GRND_NONBLOCK));
    SHOW(getrandom(a, 16, 4));
    SHOW(getrandom(a, 16, 4 | GRND_RANDOM));
    SHOW(getrandom(a, 16, 8));
    SHOW(getrandom(a, 0, 0));
    SHOW(getrandom(NULL, 0, 0));
    SHOW(getrandom((void *)8, 16, 0));
    SHOW(getrandom((void *)8, 100000, 0));
}

static void lengths(void)
{
    static const int some[] = {1, 31, 32, 33, 127, 128, 129, 4095, 4096, 4097, 65537, 100000};

    for (unsigned i = 0; i < sizeof(some) / sizeof(some[0]); i++)
        printf("%d: %ld\n", some[i], (long)getrandom(a, (size_t)some[i], 0));
    getrandom(b, sizeof(b), 0);
    printf("%s, %s, %s\n", looks(a, sizeof(a)), looks(b, sizeof(b)),
           memcmp(a, b, sizeof(a)) ? "different" : "the same");
    memset(a, 0, sizeof(a));
    for (size_t i = 0; i + 10 <= sizeof(a); i += 10)
        getrandom(a + i, 10, 0);
    printf("in pieces: %s\n", looks(a, sizeof(a)));
}

static void children_differ(void)
{
    int p[2], status;
    unsigned char one[200], two[200];

    DIE_UNLESS(pipe(p) == 0);
    for (int i = 0; i < 2; i++)
        if (fork() == 0) {
            getrandom(one, sizeof(one), 0);
            _exit(write(p[1], one, sizeof(one)) != sizeof(one));
        }
    while (wait(&status) > 0)
        ;
    DIE_UNLESS(read(p[0], one, 200) == 200 && read(p[0], two, 200) == 200);
    printf("children: %s\n", memcmp(one, two, 200) ? "different" : "the same");
}

static void devices(const char *name)
{
    int fd = open(name, O_RDWR);

    SHOW(read(fd, a, 100000));
    printf("%s\n", looks(a, 100000));
    SHOW(read(fd, (void *)8, 10));
    SHOW(read(fd, NULL, 0));
    SHOW(write(fd, a, 1000));
    SHOW(write(fd, (void *)8, 10));
    SHOW(lseek(fd, 100, SEEK_SET));
    close(fd);
}

/* The end of memory in the middle of a long read. */
static void cut(void)
{
    char *p = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    munmap(p + 2 * PAGE, PAGE);
    SHOW(getrandom(p + PAGE, 2 * PAGE, 0));
    SHOW(getrandom(p + 2 * PAGE - 10, 20, 0));
}

#define EACH(what) what(0) what(1) what(2) what(3) what(4) what(5) what(6) what(7)
#define LOAD(n)    "movups (%3), %%xmm" #n "\n"
#define STORE(n)   "movups %%xmm" #n ", 16*" #n "(%4)\n"

static void registers(void)
{
    float in[4] = {1.5f, 2.5f, -3.5f, 4.5f}, out[8][4];
    int fd = open("/dev/urandom", O_RDONLY), same = 1;

    for (int round = 0; round < 20; round++) {
        long r, n = round % 2 ? 50000 : 16;

        memset(out, 0, sizeof(out));
        __asm__ volatile(EACH(LOAD) "int $0x80\n" EACH(STORE)
                         : "=a"(r)
                         : "a"(SYS_read), "b"(fd), "S"(in), "D"(out), "c"(a), "d"(n)
                         : "memory");
        for (int i = 0; i < 8; i++)
            same &= memcmp(out[i], in, sizeof(in)) == 0;
        DIE_UNLESS(r == n);
    }
    printf("vector registers: %s\n", same ? "kept" : "lost");
    close(fd);
}

/* Who adds to it, and is believed. */
static void entropy(void)
{
    struct {
        int bits, bytes;
        char buf[64];
    } info = {.bits = 8, .bytes = 64};
    int fd = open("/dev/urandom", O_RDWR), status;

    SHOW(ioctl(fd, RNDADDENTROPY, &info));
    info.bits = -1;
    SHOW(ioctl(fd, RNDADDENTROPY, &info));
    SHOW(ioctl(fd, RNDADDTOENTCNT, &info.bits));
    SHOW(ioctl(fd, RNDADDTOENTCNT, &info.bytes));
    info.bits = 8;
    info.bytes = 0x7fffffff;
    SHOW(ioctl(fd, RNDADDENTROPY, (char *)map_anon(1) + PAGE - 8));
    SHOW(ioctl(fd, RNDADDENTROPY, 8));
    SHOW(ioctl(fd, RNDADDTOENTCNT, 8));
    SHOW(ioctl(fd, RNDZAPENTCNT, 0));
    SHOW(ioctl(fd, RNDCLEARPOOL, 0));
    if (fork() == 0) {
        DIE_UNLESS(setuid(1000) == 0);
        SHOW(ioctl(fd, RNDADDENTROPY, &info));
        SHOW(ioctl(fd, RNDADDTOENTCNT, &info.bits));
        SHOW(ioctl(fd, RNDZAPENTCNT, 0));
        SHOW(ioctl(fd, RNDCLEARPOOL, 0));
        SHOW(ioctl(fd, _IO('R', 7), 0)); /* RNDRESEEDCRNG */
        _exit(0);
    }
    wait(&status);
    close(fd);
}

int main(void)
{
    registers();
    flags();
    lengths();
    children_differ();
    devices("/dev/urandom");
    devices("/dev/random");
    cut();
    entropy();
    registers();
    return 0;
}
