/*
 * For the tests of power cuts: makes files, syncs each, and tells a second device after each how
 * many are safe. Between them it leaves a lot unsynced. Runs until it is killed.
 *
 *     synced DIR MARKER-DEVICE
 *
 * File k%d has 1 to 60 KB: byte i is (number * 7 + i / 61) % 251. Every fourth is made by another
 * name and renamed, every fifth written through a mapping and synced by msync; every third loses
 * the file before it, which is synced by fsync of the directory.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define NEED(x)                                                                                    \
    do {                                                                                           \
        if (!(x)) {                                                                                \
            perror(#x);                                                                            \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static unsigned char bytes[60000];

static size_t size_of(unsigned n)
{
    return 1000 + n * 7919 % 59000;
}

static void write_file(int fd, unsigned n)
{
    size_t size = size_of(n);
    unsigned char *p;

    for (size_t i = 0; i < size; i++)
        bytes[i] = (unsigned char)((n * 7 + i / 61) % 251);
    if (n % 5) {
        NEED(write(fd, bytes, size) == (ssize_t)size && fsync(fd) == 0);
        return;
    }
    NEED(ftruncate(fd, (off_t)size) == 0);
    p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    NEED(p != MAP_FAILED);
    memcpy(p, bytes, size);
    NEED(msync(p, size, MS_SYNC) == 0);
    munmap(p, size);
}

static void make(int dir, unsigned n)
{
    char name[32], first[32];
    int fd;

    sprintf(name, "k%u", n);
    sprintf(first, n % 4 ? "k%u" : "new%u", n);
    fd = open(first, O_RDWR | O_CREAT | O_TRUNC, 0644);
    NEED(fd >= 0);
    write_file(fd, n);
    close(fd);
    if (n % 4 == 0)
        NEED(rename(first, name) == 0);
    if (n % 3 == 0) {
        sprintf(name, "k%u", n - 1);
        NEED(unlink(name) == 0);
    }
    NEED(fsync(dir) == 0);
}

/* What nobody syncs: it may be lost, but must not break anything. */
static void leave_dirty(unsigned n)
{
    char name[32];
    int fd;

    sprintf(name, "loose%u", n % 10);
    fd = open(name, O_RDWR | O_CREAT | (n % 2 ? O_TRUNC : 0), 0644);
    NEED(fd >= 0 && pwrite(fd, bytes, 30000, (off_t)(n % 7) * 50000) == 30000);
    close(fd);
    if (n % 6 == 0)
        unlink(name);
}

static void name_of(char *to, unsigned k)
{
    sprintf(to, k % 3 ? "stir%u/d%u" : "stir%u/f%u", k % 4, k % 7);
}

/* Directories and files change places: into each other, over each other. Most of it fails. */
static void stir(unsigned n)
{
    unsigned dice = n * 2654435761u >> 8;
    char one[32], two[64], three[80];

    for (unsigned k = 0; k < 8; k++, dice = dice * 1103515245u + 12345u) {
        unsigned at = dice >> 16;

        sprintf(two, "stir%u", at % 4);
        (void)mkdir(two, 0755);
        name_of(one, at);
        name_of(two, at / 5);
        sprintf(three, "%s/in", one);
        (void)(at % 3 ? mkdir(one, 0755) : mknod(one, S_IFREG | 0644, 0));
        (void)(at % 2 ? symlink(two, three) : mkdir(three, 0755));
        (void)(at % 7 ? rename(one, two) : link(two, one));
        sprintf(three, "%s/in", two);
        if (at % 4 == 0) {
            (void)unlink(three);
            (void)rmdir(three);
            (void)rmdir(two);
        }
    }
}

int main(int argc, char **argv)
{
    int marker = argc > 2 ? open(argv[2], O_WRONLY | O_SYNC) : -1, dir;
    static char sector[4096];

    NEED(marker >= 0 && chdir(argv[1]) == 0);
    dir = open(".", O_RDONLY);
    for (unsigned n = 1;; n++) {
        make(dir, n);
        sprintf(sector, "safe %u\n", n);
        NEED(pwrite(marker, sector, sizeof(sector), 0) == sizeof(sector));
        leave_dirty(n);
        stir(n);
        if (n % 10 == 0)
            printf("safe %u\n", n);
    }
}
