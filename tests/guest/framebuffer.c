/* framebuffer: /dev/fb0, where there is one (tests/boot/test_framebuffer.py): what it tells, its
 * errors, and that read, write and mmap see the same. Where the screen shows text there is none. */
#include <linux/fb.h>
#include <linux/kd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include "guest.h"

static struct fb_var_screeninfo var;
static struct fb_fix_screeninfo fix;

static void what_it_tells(int fd)
{
    struct fb_var_screeninfo v;

    SHOW(ioctl(fd, FBIOGET_VSCREENINFO, &var));
    SHOW(ioctl(fd, FBIOGET_FSCREENINFO, &fix));
    SHOW(var.xres >= 640 && var.yres >= 480 && var.xres == var.xres_virtual &&
         var.yres == var.yres_virtual);
    SHOW(fix.line_length >= var.xres * var.bits_per_pixel / 8);
    SHOW(fix.smem_len >= fix.line_length * var.yres);
    SHOW(fix.type == FB_TYPE_PACKED_PIXELS && fix.visual == FB_VISUAL_TRUECOLOR);
    SHOW(fix.xpanstep || fix.ypanstep || fix.ywrapstep);
    SHOW(var.red.length && var.green.length && var.blue.length);
    v = var;
    v.xres = 12345;
    SHOW(ioctl(fd, FBIOPUT_VSCREENINFO, &v));
    SHOW(v.xres == var.xres);
    v.yoffset = 1;
    SHOW(ioctl(fd, FBIOPAN_DISPLAY, &v));
    SHOW(ioctl(fd, FBIOBLANK, FB_BLANK_POWERDOWN + 1));
    SHOW(ioctl(fd, FBIOGET_VSCREENINFO, NULL));
    SHOW(ioctl(fd, FBIOPUT_VSCREENINFO, NULL));
    SHOW(ioctl(fd, FBIOGET_FSCREENINFO, NULL));
    SHOW(ioctl(fd, FBIOPAN_DISPLAY, NULL));
    SHOW(ioctl(fd, 0x4699, NULL));
}

static void the_file(int fd)
{
    unsigned char line[64], back[64];

    memset(line, 0x5a, sizeof(line));
    SHOW(pwrite(fd, line, sizeof(line), 4096 * 3 + 100));
    SHOW(pread(fd, back, sizeof(back), 4096 * 3 + 100));
    SHOW(memcmp(line, back, sizeof(line)));
    SHOW(pread(fd, back, sizeof(back), fix.smem_len));
    SHOW(pread(fd, back, sizeof(back), fix.smem_len - 10));
    SHOW(pwrite(fd, line, sizeof(line), fix.smem_len));
    SHOW(pwrite(fd, line, sizeof(line), fix.smem_len + 1));
    SHOW(pwrite(fd, line, sizeof(line), fix.smem_len - 10));
    SHOW(pread(fd, NULL, sizeof(back), 0));
    SHOW(pwrite(fd, NULL, sizeof(line), 0));
    SHOW(lseek(fd, 100, SEEK_SET));
    SHOW(lseek(fd, 10, SEEK_CUR));
    SHOW(lseek(fd, 0, SEEK_END));
    SHOW(lseek(fd, -1, SEEK_SET));
}

static void mapped(int fd)
{
    size_t len = (fix.smem_len + 4095) & ~4095u;
    unsigned char back[8], *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    SHOW(p != MAP_FAILED);
    SHOW(p[4096 * 3 + 100]);
    memset(p + 4096 * 5, 0x3c, 8);
    SHOW(pread(fd, back, sizeof(back), 4096 * 5));
    SHOW(back[7]);
    SHOW(munmap(p, len));
    p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 4096 * 5);
    SHOW(p[7]);
    munmap(p, 4096);
    SHOW(mmap(NULL, len + 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED ? -errno : 0);
    SHOW(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, len) == MAP_FAILED ? -errno : 0);
}

static void the_console(void)
{
    int mode = 9, fd = open("/dev/tty1", O_RDWR | O_NOCTTY);

    SHOW(ioctl(fd, KDSETMODE, KD_GRAPHICS));
    SHOW(ioctl(fd, KDGETMODE, &mode));
    SHOW(mode);
    SHOW(ioctl(fd, KDSETMODE, KD_TEXT));
    SHOW(ioctl(fd, KDGETMODE, &mode));
    SHOW(mode);
    SHOW(ioctl(fd, KDSETMODE, 4));
    close(fd);
}

/* Draws over the screen until somebody types a line; what tty1 is told meanwhile shows later. */
static void draw(int fd)
{
    int tty = open("/dev/tty1", O_RDWR | O_NOCTTY);
    unsigned char *p;

    DIE_UNLESS(ioctl(fd, FBIOGET_FSCREENINFO, &fix) == 0);
    p = mmap(NULL, fix.smem_len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    DIE_UNLESS(p != MAP_FAILED && ioctl(tty, KDSETMODE, KD_GRAPHICS) == 0);
    memset(p, 0x3c, fix.smem_len);
    DIE_UNLESS(write(tty, "\r\nsaid meanwhile\r\n", 18) == 18);
    printf("drawn\n");
    getchar();
    DIE_UNLESS(ioctl(tty, KDSETMODE, KD_TEXT) == 0);
}

/* What /proc tells: the number and the name of each. */
static void in_proc(void)
{
    char want[40], got[100] = "";
    int fd = open("/proc/fb", O_RDONLY);

    snprintf(want, sizeof(want), fix.id[0] ? "0 %.16s\n" : "", fix.id);
    DIE_UNLESS(fd >= 0 && read(fd, got, sizeof(got) - 1) >= 0);
    printf("/proc/fb is right: %d\n", strcmp(want, got) == 0);
    close(fd);
}

int main(int argc, char **argv)
{
    int fd = open("/dev/fb0", O_RDWR);

    if (fd < 0) {
        in_proc();
        printf("/dev/fb0: %s\n", strerror(errno));
        return 0;
    }
    (void)argv;
    if (argc > 1) {
        draw(fd);
        return 0;
    }
    what_it_tells(fd);
    the_file(fd);
    mapped(fd);
    the_console();
    in_proc();
    close(fd);
    return 0;
}
