/*
 * Signals about open files: their owner (F_SETOWN), and SIGIO for those with O_ASYNC.
 */
#ifndef FS_OWNER_H
#define FS_OWNER_H

#include "fs/vfs/vfs.h"

/* Why: the codes of SIGIO's siginfo. */
#define POLL_IN  1
#define POLL_OUT 2
#define POLL_MSG 3
#define POLL_PRI 5
#define POLL_HUP 6

#define O_ASYNC 020000u

#define F_SETOWN 8
#define F_GETOWN 9

/* The commands of fcntl on owners. */
bool is_owner_cmd(uint32_t cmd);
long owner_fcntl(struct file *f, uint32_t cmd, uint32_t arg);
void owner_set_current(struct file *f, bool force);  /* the current process, unless it has one */
void owner_set_group(struct file *f, int32_t group); /* a process group, unless it has one */

/* Sends f's signal to its owner, about the descriptor fd. May be called with notify_lock held,
 * which ranks below proc_lock. */
void owner_signal(const struct file *f, int fd, int why);
void owner_urgent(const struct file *f); /* SIGURG: a byte out of band has come; the same locks */

/* Whose changes tell files with O_ASYNC: what a pipe has for either end. */
struct async_list {
    struct list items; /* [async_lock] */
};
void async_init(struct async_list *l);
void async_tell(struct async_list *l, int why); /* may be called where owner_signal may */
/* Files that are dead are told nothing any more. */
void async_bury(struct async_list *l, bool (*dead)(const struct file *f));
/* F_SETFL with or without O_ASYNC. Files without ops->async do not have the flag. 0 or -ENOMEM. */
int async_set(struct file *f, int fd, bool on);
void async_drop(struct file *f); /* it is being closed */

#endif
