/*
 * Descriptor tables and the file-system context of a process.
 */
#ifndef FS_FILE_H
#define FS_FILE_H

#include "fs/vfs/vfs.h"

struct proc;
struct files;              /* shared by CLONE_FILES: counted */
struct fs_context {        /* shared by CLONE_FS: counted */
    uint32_t refs;         /* atomic */
    struct path root, cwd; /* [dentry_lock] */
    uint32_t umask;
};

struct files *files_new(void);
struct files *files_copy(struct files *from); /* fork: a table of its own; NULL: no memory */
void files_ref(struct files *t);
/* One more process has it, or one less: with a reference. */
void files_join(struct files *t);
void files_leave(struct files *t); /* may sleep */
/* p gets a table of its own instead of one that it shares with another process. 0 or -ENOMEM. */
int files_unshare(struct proc *p);
void files_put(struct files *t); /* the last one closes everything; may sleep */
/* Kernel memory that the end of the table would give back; files that others have open too count in
 * part. */
uint32_t files_held_bytes(struct files *t);
void files_close_on_exec(struct proc *p); /* whose only thread this is */

/* What a process has to lock to use its own table (proc->files_use). To change it: nothing, since
 * there is one processor; its lock, since others may look; that and files_lock, since other threads
 * or processes may change it, and which table it is. To read it: only in the last case. */
enum files_use { FILES_MINE, FILES_SEEN, FILES_SHARED };
void files_share(struct proc *p); /* from now on others change it, too */
void files_use_alone(struct proc *p);

struct fs_context *fs_context_new(const struct path *root);
struct fs_context *fs_context_copy(struct fs_context *from);
void fs_context_ref(struct fs_context *c);
void fs_context_put(struct fs_context *c);
/* The root or working directory, a reference. */
struct path fs_context_get(struct fs_context *c, bool root);

/* In the current process. fd_get: a reference or NULL. fd_install: the lowest free descriptor not
 * below min, -EMFILE or -ENOMEM; takes the reference, whatever comes of it. */
struct file *fd_get(int fd);
struct file *fd_get_any(int fd); /* as fd_get, O_PATH descriptors too */
/* As fd_get; and the kernel lock, unless the file does without for what is wanted (BESIDE_*). */
struct file *fd_get_beside(int fd, unsigned want);
int fd_cloexec(int fd); /* 0, 1 or -EBADF */
int fd_install(struct file *f, int min, bool cloexec);
/* The calls, begun without the kernel lock. fs/calls/rw.c */
long read_beside(uint32_t fd, void __user *ubuf, uint32_t len);
long write_beside(uint32_t fd, void __user *ubuf, uint32_t len);
long readv_beside(uint32_t fd, const void __user *uvec, uint32_t count);
long writev_beside(uint32_t fd, const void __user *uvec, uint32_t count);
/* The same for two, whose numbers are told there: 0, or neither is a descriptor. */
int fd_install_pair(struct file *f[2], bool cloexec, void __user *ufds);
int fd_close(int fd);
/* A line of /proc/locks, of the first lock whose number is at least *item: fs/proc/procfs.h */
int locks_line(void *from, uint64_t *item, char *buf, size_t size);
uint32_t files_room(void); /* descriptors that Linux's table of this process would have room for */
struct file *files_get(struct files *t, int fd); /* with a reference; NULL: none is there */
/* For /proc/PID/fd: the file at the first used descriptor >= *fd, which is set to it; a reference.
 */
struct file *files_next(struct files *t, int *fd);

#endif
