/*
 * Files of /proc that may be too long to be made at once: lines of items with ever larger numbers.
 * The position in the file tells the item and how much of its line was read, so that nothing is
 * kept between two reads, and a reader who comes back later goes on with what is new.
 */
#include "arch/uaccess.h"
#include "fs/proc/procfs.h"
#include "libc/errno.h"

long lines_read(void *from, line_fn line, void __user *ubuf, size_t len, uint64_t *pos)
{
    char buf[LINE_ROOM];
    size_t done = 0;

    while (done < len) {
        uint64_t item = *pos / LINE_ROOM;
        size_t within = *pos % LINE_ROOM, n;
        int size = line(from, &item, buf, sizeof(buf));

        if (size <= 0)
            break;
        if (item != *pos / LINE_ROOM)
            within = 0;
        n = within < (size_t)size ? (size_t)size - within : 0;
        if (n > len - done)
            n = len - done;
        if (copy_to_user((char __user *)ubuf + done, buf + within, n))
            return done ? (long)done : -EFAULT;
        done += n;
        within += n;
        sched_point();
        *pos = within < (size_t)size ? item * LINE_ROOM + within : (item + 1) * LINE_ROOM;
    }
    return (long)done;
}
