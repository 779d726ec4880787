/* Pipes that the kernel writes to: for what it tells a program. */
#include "fs/event/pipe.h"
#include "fs/event/pipe_ring.h"
#include "libc/errno.h"
#include "libc/string.h"

int pipe_write_page(struct file *f, const void *data, uint32_t len)
{
    struct pipe *p = f->inode->pipe;
    void *page;
    int err;

    mutex_lock(&p->lock);
    err = pipe_wait_room(p, false);
    if (!err) {
        page = pipe_page(p);
        if (page) {
            memcpy(page, data, len);
            pipe_push(p, (struct pipe_buf){.page = page, .len = len});
        } else {
            err = -ENOMEM;
        }
    }
    mutex_unlock(&p->lock);
    if (!err)
        pipe_tell_readers(p);
    return err;
}
