/*
 * Pipes and FIFOs. An inode of type S_IFIFO opens with fifo_file_ops, whatever its file system.
 */
#ifndef FS_PIPE_H
#define FS_PIPE_H

#include <stdbool.h>
#include <stdint.h>

struct file;
struct file_ops;

#define PIPE_BUF 4096u

extern const struct file_ops fifo_file_ops;

/* Two files on one pipe of their own, to read from and to write to. */
int pipe_files(uint32_t flags, struct file *out[2]);
/* len bytes of kernel memory, at most a page, into a pipe that f writes to; waits for room. 0,
 * -EPIPE with SIGPIPE, -ENOMEM, a signal. */
int pipe_write_page(struct file *f, const void *data, uint32_t len);
bool file_is_pipe(const struct file *f);
/* fcntl F_GETPIPE_SZ and F_SETPIPE_SZ: the capacity in bytes (as it is then), or -errno; -EBADF for
 * what is no pipe. */
long pipe_get_size(struct file *f);
long pipe_set_size(struct file *f, uint32_t size);

#endif
