/*
 * /dev/kmsg: the kernel log, one record a read, and a way for programs to write to it.
 */
#include "fs/dev/devfs.h"
#include "fs/vfs/vfs.h"
#include "arch/uaccess.h"
#include "kernel/base/log.h"
#include "kernel/time/time.h"
#include "libc/ctype.h"
#include "libc/errno.h"
#include "libc/printf.h"
#include "libc/string.h"

#define RECORD_MAX 256
#define LINE_SIZE  (5 * RECORD_MAX) /* with what is escaped */
#define LINE_MOST  992              /* that may be written, of which a record keeps the beginning */
#define POLL_NS    (NSEC_PER_SEC / 10)

/* The log cannot wake readers (it runs under any lock), so a waiting one looks now and then. */
static int kmsg_wait(struct file *f, uint32_t pos)
{
    while (pos == log_newest()) {
        if (f->flags & O_NONBLOCK)
            return -EAGAIN;
        if (sleep_until(time_mono_ns() + POLL_NS))
            return -ERESTARTSYS;
    }
    return 0;
}

/* What is no plain character becomes \xNN, but for the mark of what is to look at first. */
static void kmsg_text(char *out, size_t size, const char *text)
{
    for (size_t n = 0; *text && n + 5 < size; text++) {
        unsigned char c = (unsigned char)*text;

        if (c == LOG_LOUD[0])
            continue;
        if ((c >= ' ' && c < 127 && c != '\\') || (c == '\n' && !text[1]))
            out[n++] = (char)c;
        else
            n += (size_t)snprintf(out + n, size - n, "\\x%02x", c);
        out[n] = '\0';
    }
}

/* "<6>[    5.140900] text\n" becomes "6,sequence,5140900,-;text\n". */
static int kmsg_format(char *out, size_t size, uint32_t sequence, char *record)
{
    char *p = strchr(record, '['), *end = record;
    unsigned long priority = strtoul(record + 1, NULL, 10), sec = 0, usec = 0;
    int n;

    if (p) {
        do
            p++;
        while (*p == ' ');
        sec = strtoul(p, &end, 10);
        if (*end == '.')
            usec = strtoul(end + 1, &end, 10);
        if (*end == ']')
            end++;
        if (*end == ' ')
            end++;
    }
    n = snprintf(out, size, "%lu,%u,%llu,-;", priority, sequence, sec * 1000000ull + usec);
    kmsg_text(out + n, size - (size_t)n, end);
    return (int)strlen(out);
}

static long kmsg_read(struct file *f, void __user *ubuf, size_t len, uint64_t *pos)
{
    uint32_t at = (uint32_t)(uintptr_t)f->private, start;
    char record[RECORD_MAX + 1], *line;
    int err = kmsg_wait(f, at), n;

    (void)pos;
    if (err)
        return err;
    if ((int32_t)(at - log_oldest()) < 0) {
        f->private = (void *)(uintptr_t)log_oldest();
        return -EPIPE; /* what came next is gone */
    }
    start = at;
    n = log_next_record(&at, record, RECORD_MAX);
    record[n] = '\0';
    line = kmalloc(LINE_SIZE);
    if (!line)
        return -ENOMEM;
    n = kmsg_format(line, LINE_SIZE, start, record);
    if ((size_t)n > len)
        err = -EINVAL;
    else
        err = copy_to_user(ubuf, line, (size_t)n);
    kmfree(line);
    if (err)
        return err;
    f->private = (void *)(uintptr_t)at;
    return n;
}

/* A priority in front, "<12>", is taken off; a program's line is never the kernel's own. */
static unsigned take_priority(char **text)
{
    unsigned facility = 1, level = LOG_WARN;
    char *p = *text + 1;
    unsigned long v = 0;

    if (**text != '<')
        return LOG_FACILITY(facility) + level;
    while (isdigit(*p))
        v = v * 10 + (unsigned)(*p++ - '0');
    if (*p == '>') {
        level = v & 7;
        facility = v >> 3 & 0xff ? v >> 3 & 0xff : facility;
        *text = p + 1;
    }
    return LOG_FACILITY(facility) + level;
}

static long kmsg_write(struct file *f, const void __user *ubuf, size_t len, uint64_t *pos)
{
    char text[RECORD_MAX], *p = text;
    size_t n = len < sizeof(text) - 1 ? len : sizeof(text) - 1;
    unsigned priority;

    (void)f, (void)pos;
    if (len > LINE_MOST)
        return -EINVAL;
    if (copy_from_user(text, ubuf, n))
        return -EFAULT;
    while (n > 0 && text[n - 1] == '\n')
        n--;
    text[n] = '\0';
    priority = take_priority(&p);
    if (n > 0)
        klog((enum log_level)priority, "%s\n", p);
    return (long)len;
}

static int64_t kmsg_seek(struct file *f, int64_t offset, int whence)
{
    if (offset != 0)
        return -ESPIPE;
    if (whence == SEEK_SET || whence == SEEK_DATA)
        f->private = (void *)(uintptr_t)log_oldest();
    else if (whence == SEEK_END)
        f->private = (void *)(uintptr_t)log_newest();
    else
        return -EINVAL;
    return 0;
}

static uint32_t kmsg_poll(struct file *f, struct poll_table *pt)
{
    uint32_t at = (uint32_t)(uintptr_t)f->private;

    (void)pt;
    if (at == log_newest())
        return 0;
    return POLLIN | POLLRDNORM | ((int32_t)(at - log_oldest()) < 0 ? POLLERR | POLLPRI : 0);
}

static int kmsg_open(struct inode *inode, struct file *f)
{
    (void)inode;
    f->private = (void *)(uintptr_t)log_oldest();
    return 0;
}

const struct file_ops kmsg_ops = {
    .open = kmsg_open,
    .read = kmsg_read,
    .write = kmsg_write,
    .poll = kmsg_poll,
    .seek = kmsg_seek,
};
