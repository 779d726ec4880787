/*
 * /dev/fb0: the framebuffer for programs, with Linux's interface; there is none where the screen
 * shows text. The mode is the boot loader's, and stays. [Linux, Documentation/fb/api.rst]
 *
 * What programs map are pages of an object whose home is the video memory: a fault brings one in
 * from there, and what was written goes out again sixty times a second at most. So mapped pages are
 * ordinary frames, with dirty bits, and only pages that changed cost anything.
 */
#include "drivers/video/fb.h"
#include "arch/uaccess.h"
#include "fs/dev/devfs.h"
#include "fs/vfs/internal.h"
#include "fs/vfs/vfs.h"
#include "kernel/base/boot.h"
#include "kernel/base/init.h"
#include "kernel/base/log.h"
#include "kernel/thread/proc.h"
#include "kernel/time/time.h"
#include "libc/errno.h"
#include "libc/string.h"
#include "mm/object.h"
#include "mm/vm.h"

#define FB_MAJOR   29
#define REFRESH_NS (NSEC_PER_SEC / 60)

#define FBIOGET_VSCREENINFO 0x4600
#define FBIOPUT_VSCREENINFO 0x4601
#define FBIOGET_FSCREENINFO 0x4602
#define FBIOPAN_DISPLAY     0x4606
#define FBIOBLANK           0x4611

#define VISUAL_TRUECOLOR  2
#define ACTIVATE_INV_MODE 256u

struct fb_bitfield {
    uint32_t offset, length, msb_right;
};

struct fb_var_screeninfo {
    uint32_t xres, yres, xres_virtual, yres_virtual, xoffset, yoffset;
    uint32_t bits_per_pixel, grayscale;
    struct fb_bitfield red, green, blue, transp;
    uint32_t nonstd, activate, height, width, accel_flags;
    uint32_t pixclock, left_margin, right_margin, upper_margin, lower_margin;
    uint32_t hsync_len, vsync_len, sync, vmode, rotate, colorspace, reserved[4];
};
_Static_assert(sizeof(struct fb_var_screeninfo) == 160, "Linux i386 layout");

#define FB_NAME "VESA VGA"

struct fb_fix_screeninfo {
    char id[16];
    uint32_t smem_start, smem_len, type, type_aux, visual;
    uint16_t xpanstep, ypanstep, ywrapstep;
    uint32_t line_length, mmio_start, mmio_len, accel;
    uint16_t capabilities, reserved[2];
};
_Static_assert(sizeof(struct fb_fix_screeninfo) == 68, "Linux i386 layout");

static struct {
    uint8_t *memory; /* the video memory */
    uint32_t size;
    struct vm_object *object;
    struct timer timer;
    struct waitq wait; /* of the thread that sends pages out */
    bool armed, due;   /* atomic: the timer is set; it has fired */
} dev;

/* ---- The pages ---- */

/* How much of a page lies in the video memory. */
static uint32_t page_bytes(uint32_t index)
{
    uint32_t left = dev.size - index * PAGE_SIZE;

    return left < PAGE_SIZE ? left : PAGE_SIZE;
}

static int fb_get(struct vm_object *o, struct vm_run *run)
{
    (void)o;
    for (unsigned i = 0; i < run->count; i++) {
        uint32_t n = page_bytes(run->index + i);

        memcpy(run->page[i], dev.memory + (run->index + i) * PAGE_SIZE, n);
        memset((uint8_t *)run->page[i] + n, 0, PAGE_SIZE - n);
        sched_point();
    }
    return (int)run->count;
}

static int fb_put(struct vm_object *o, const struct vm_run *run)
{
    (void)o;
    for (unsigned i = 0; i < run->count; i++) {
        memcpy(dev.memory + (run->index + i) * PAGE_SIZE, run->page[i], page_bytes(run->index + i));
        sched_point();
    }
    return (int)run->count;
}

/* Something is to be sent out, soon. */
static void fb_changed(void)
{
    if (!__atomic_exchange_n(&dev.armed, true, __ATOMIC_RELAXED))
        timer_start(&dev.timer, time_mono_ns() + REFRESH_NS);
}

static void fb_written(struct vm_object *o)
{
    (void)o;
    fb_changed();
}

static const struct pager fb_pager = {
    .name = "framebuffer",
    .get = fb_get,
    .put = fb_put,
    .written = fb_written,
    .ahead = VM_RUN_MAX,
};

static void fb_timer_fired(void *arg)
{
    (void)arg;
    __atomic_store_n(&dev.due, true, __ATOMIC_RELEASE);
    wake_all(&dev.wait);
}

static void fb_refresh(void *arg)
{
    (void)arg;
    for (;;) {
        wait_event_idle(&dev.wait, __atomic_exchange_n(&dev.due, false, __ATOMIC_ACQUIRE));
        __atomic_store_n(&dev.armed, false, __ATOMIC_RELEASE); /* what is written now, is again */
        vm_object_sync(dev.object);
    }
}

void fbdev_flush(void)
{
    if (dev.object)
        vm_object_sync(dev.object);
}

/* ---- The file ---- */

static int fb_open(struct inode *inode, struct file *f)
{
    (void)f;
    return DEV_MINOR(inode->rdev) == 0 ? 0 : -ENODEV;
}

static long fb_read(struct file *f, void __user *ubuf, size_t len, uint64_t *pos)
{
    long n;

    (void)f;
    if (*pos >= dev.size)
        return 0;
    if (len > dev.size - *pos)
        len = (size_t)(dev.size - *pos);
    n = vm_object_read(dev.object, *pos, ubuf, len);
    if (n > 0)
        *pos += (uint32_t)n;
    return n;
}

/* As much as there is room for; -EFBIG for more than there could ever be, where nothing fits. */
static long fb_write(struct file *f, const void __user *ubuf, size_t len, uint64_t *pos)
{
    long n;

    (void)f;
    if (*pos > dev.size)
        return -EFBIG;
    if (*pos == dev.size && len)
        return len > dev.size ? -EFBIG : -ENOSPC;
    if (len > dev.size - *pos)
        len = (size_t)(dev.size - *pos);
    n = len ? vm_object_write(dev.object, *pos, ubuf, len) : 0;
    if (n > 0) {
        *pos += (uint32_t)n;
        fb_changed();
    }
    return n;
}

/* Linux's node has no size that an end could be measured by. */
static int64_t fb_seek(struct file *f, int64_t offset, int whence)
{
    return generic_seek(f, offset, whence, 0);
}

static int fb_mmap(struct file *f, struct vm_mapping *m)
{
    uint32_t pages = (dev.size + PAGE_SIZE - 1) >> PAGE_SHIFT;

    (void)f;
    if (m->pgoff > pages || (m->len + PAGE_SIZE - 1) >> PAGE_SHIFT > pages - m->pgoff)
        return -EINVAL;
    m->object = dev.object;
    vm_object_ref(m->object);
    return 0;
}

static int fb_fsync(struct file *f)
{
    (void)f;
    return vm_object_sync(dev.object);
}

/* ---- The mode ---- */

static struct fb_bitfield bits_of(struct boot_colour c)
{
    return (struct fb_bitfield){.offset = c.position, .length = c.size};
}

/* What cannot be known of the signal is made up as Linux's efifb does. */
static void fill_var(struct fb_var_screeninfo *v)
{
    const struct boot_framebuffer *b = boot_info.framebuffer;
    uint32_t margin = b->width / 8 & 0xf8;

    *v = (struct fb_var_screeninfo){
        .xres = b->width,
        .yres = b->height,
        .xres_virtual = b->width,
        .yres_virtual = b->height,
        .bits_per_pixel = b->bpp == 15 ? 16 : b->bpp,
        .red = bits_of(b->red),
        .green = bits_of(b->green),
        .blue = bits_of(b->blue),
        .transp = {.offset = b->bpp == 32 ? 24 : 0, .length = b->bpp == 32 ? 8 : 0},
        .height = UINT32_MAX,
        .width = UINT32_MAX,
        .pixclock = 10000000 / b->width * 1000 / b->height,
        .left_margin = margin,
        .right_margin = 32,
        .upper_margin = 16,
        .lower_margin = 4,
        .hsync_len = margin,
        .vsync_len = 4,
    };
}

static void fill_fix(struct fb_fix_screeninfo *x)
{
    *x = (struct fb_fix_screeninfo){
        .smem_start = (uint32_t)boot_info.framebuffer->addr,
        .smem_len = dev.size,
        .visual = VISUAL_TRUECOLOR,
        .line_length = boot_info.framebuffer->pitch,
    };
    strlcpy(x->id, FB_NAME, sizeof(x->id));
}

/* The mode is fixed: whatever was asked for, the answer is what there is. */
static long put_var(void __user *arg)
{
    struct fb_var_screeninfo v;

    if (copy_from_user(&v, arg, sizeof(v)))
        return -EFAULT;
    if (v.activate & ACTIVATE_INV_MODE)
        return -EINVAL;
    fill_var(&v);
    return copy_to_user(arg, &v, sizeof(v));
}

static long pan(const void __user *arg)
{
    struct fb_var_screeninfo v;

    return copy_from_user(&v, arg, sizeof(v)) ? -EFAULT : -EINVAL;
}

static long fb_ioctl(struct file *f, uint32_t cmd, uint32_t arg)
{
    void __user *to = (void __user *)arg;
    struct fb_var_screeninfo var;
    struct fb_fix_screeninfo fix;

    (void)f;
    switch (cmd) {
    case FBIOGET_VSCREENINFO:
        fill_var(&var);
        return copy_to_user(to, &var, sizeof(var));
    case FBIOPUT_VSCREENINFO:
        return put_var(to);
    case FBIOGET_FSCREENINFO:
        fill_fix(&fix);
        return copy_to_user(to, &fix, sizeof(fix));
    case FBIOPAN_DISPLAY:
        return pan(to);
    case FBIOBLANK: /* as Linux where the firmware's mode is all there is */
        return -EINVAL;
    default:
        return -ENOTTY;
    }
}

static const struct file_ops fbdev_ops = {
    .open = fb_open,
    .read = fb_read,
    .write = fb_write,
    .seek = fb_seek,
    .mmap = fb_mmap,
    .fsync = fb_fsync,
    .ioctl = fb_ioctl,
};

static void fbdev_init(void)
{
    if (!fb_is_shown())
        return;
    dev.memory = boot_info.framebuffer_memory;
    dev.size = boot_info.framebuffer->pitch * boot_info.framebuffer->height;
    waitq_init(&dev.wait);
    timer_init(&dev.timer, fb_timer_fired, NULL);
    dev.object = vm_object_create(&fb_pager, NULL, (dev.size + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1));
    if (!dev.object || chrdev_register(FB_MAJOR, "fb", &fbdev_ops) ||
        !kthread_create("fbdev", fb_refresh, NULL)) {
        klog(LOG_ERR, "fb0: no memory\n");
        return;
    }
    framebuffer_name = FB_NAME;
    devfs_add("fb0", S_IFCHR | 0660, MKDEV(FB_MAJOR, 0));
}
INIT_AT(INIT_DEVICE, fbdev_init);
