/* Loop devices: their numbers, block sizes, what /sys says of them. (Debian's kernel has them in a
 * module: what is right is from Linux's sources.) */
#include "guest.h"
#include <linux/loop.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mount.h>

static void show_sys(const char *name)
{
    char path[80], text[200];
    ssize_t n;
    int fd;

    snprintf(path, sizeof(path), "/sys/block/loop3/loop/%s", name);
    fd = open(path, O_RDONLY);
    n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    text[n < 0 ? 0 : n] = '\0';
    printf("%s: %s", name, n < 0 ? "none\n" : text);
    close(fd);
}

static void show_all(void)
{
    static const char *const names[] = {"backing_file", "offset",   "sizelimit",
                                        "autoclear",    "partscan", "dio"};

    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        show_sys(names[i]);
}

static void sizes(int fd)
{
    int logical = 0;
    unsigned long long bytes = 0;

    DIE_UNLESS(ioctl(fd, BLKSSZGET, &logical) == 0 && ioctl(fd, BLKGETSIZE64, &bytes) == 0);
    printf("blocks of %d, %llu bytes\n", logical, bytes);
}

static void numbers(int control)
{
    SHOW(ioctl(control, LOOP_CTL_ADD, 3));
    SHOW(ioctl(control, LOOP_CTL_ADD, 3));
    SHOW(ioctl(control, LOOP_CTL_ADD, -1));
    SHOW(ioctl(control, LOOP_CTL_GET_FREE));
    SHOW(ioctl(control, LOOP_CTL_REMOVE, -1));
    SHOW(ioctl(control, LOOP_CTL_REMOVE, 77));
    SHOW(ioctl(control, LOOP_CTL_REMOVE, 0));
    SHOW(ioctl(control, LOOP_CTL_REMOVE, 0));
    SHOW(access("/dev/loop0", F_OK));
    SHOW(access("/sys/block/loop0", F_OK));
    SHOW(ioctl(control, LOOP_CTL_GET_FREE));
    SHOW(access("/dev/loop0", F_OK));
    SHOW(access("/sys/block/loop0/queue/nr_requests", F_OK));
    SHOW(ioctl(control, 0x4c99, 0));
}

static void blocks(int fd, int file)
{
    struct loop_config c = {.fd = (unsigned)file};

    SHOW(ioctl(fd, LOOP_SET_BLOCK_SIZE, 4096));
    c.block_size = 1000;
    SHOW(ioctl(fd, LOOP_CONFIGURE, &c));
    c.block_size = 256;
    SHOW(ioctl(fd, LOOP_CONFIGURE, &c));
    c.block_size = 4096;
    c.info.lo_offset = 4096;
    SHOW(ioctl(fd, LOOP_CONFIGURE, &c));
    SHOW(ioctl(fd, LOOP_CONFIGURE, &c));
    sizes(fd);
    show_all();
    SHOW(ioctl(fd, LOOP_SET_BLOCK_SIZE, 1000));
    SHOW(ioctl(fd, LOOP_SET_BLOCK_SIZE, 8192));
    SHOW(ioctl(fd, LOOP_SET_BLOCK_SIZE, 0));
    SHOW(ioctl(fd, LOOP_SET_BLOCK_SIZE, 1024));
    sizes(fd);
    SHOW(pwrite(fd, "here", 4, 512));
    SHOW(fsync(fd));
}

int main(void)
{
    int control, fd, file;
    char back[5] = "";

    DIE_UNLESS(chdir("/tmp") == 0);
    mount("s", "/sys", "sysfs", 0, NULL);
    control = open("/dev/loop-control", O_RDWR);
    file = make_file("/tmp/disk", 64 * PAGE);
    DIE_UNLESS(control >= 0);
    numbers(control);
    fd = open("/dev/loop3", O_RDWR);
    DIE_UNLESS(fd >= 0);
    SHOW(fsync(fd)); /* nothing serves it yet, and there is nothing to wait for */
    sync();
    SHOW(ioctl(control, LOOP_CTL_REMOVE, 3));
    show_all();
    blocks(fd, file);
    SHOW(ioctl(control, LOOP_CTL_REMOVE, 3));
    SHOW(pread(file, back, 4, 4096 + 512));
    printf("%s\n", back);
    SHOW(ioctl(fd, LOOP_CLR_FD));
    sizes(fd);
    SHOW(ioctl(fd, LOOP_CLR_FD));
    show_all();
    SHOW(ioctl(fd, LOOP_SET_FD, file));
    sizes(fd);
    SHOW(ioctl(fd, LOOP_CLR_FD));
    close(fd);
    SHOW(ioctl(control, LOOP_CTL_REMOVE, 3));
    SHOW(open("/dev/loop3", O_RDWR));
    return 0;
}
