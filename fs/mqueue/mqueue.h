/*
 * POSIX message queues. man 7 mq_overview
 *
 * A queue is an inode (names.c); its names are in one directory, which every mount of the type
 * mqueue shows and mq_open(2) uses without one. It lives as long as it has its name or is open.
 * Its maker is charged for all that it can hold (RLIMIT_MSGQUEUE), until it is gone.
 */
#ifndef FS_MQUEUE_H
#define FS_MQUEUE_H

#include "fs/vfs/vfs.h"

#define MQ_PRIORITIES    32768u
#define MQ_MESSAGES_MOST 65536u      /* of a queue, that even root can ask for */
#define MQ_BYTES_MOST    (16u << 20) /* of a message */
#define MQ_BYTES_LEAST   128u        /* that the limit of a message can be */
#define MQ_COOKIE_BYTES  32u         /* what SIGEV_THREAD sends over its socket */

/* /proc/sys/fs/mqueue; words, read without a lock */
extern struct mq_limits {
    uint32_t queues;
    uint32_t messages, bytes;                 /* the most that who is not root may ask for */
    uint32_t default_messages, default_bytes; /* for who asks for nothing */
} mq_limits;

struct mq_attr { /* struct mq_attr of man 3 mq_getattr */
    int32_t flags, messages, bytes, count;
    int32_t reserved[4];
};

/* ---- A queue: queue.c ---- */

struct mq;

/* Until when to wait: a time of the wall clock, if one is given. */
struct mq_deadline {
    bool given;
    uint64_t real_ns;
};

/* attr may be NULL. -EINVAL, -EOVERFLOW, -EMFILE, -ENOMEM */
int mq_new(const struct mq_attr *attr, struct mq **out);
void mq_free(struct mq *q); /* nobody waits */
/* -EMSGSIZE, -EAGAIN, -ETIMEDOUT, -ERESTARTSYS, -EFAULT, -ENOMEM. Those that take one: its size. */
long mq_send(struct mq *q, const void __user *utext, uint32_t size, uint32_t priority,
             bool nonblock, const struct mq_deadline *until);
long mq_receive(struct mq *q, void __user *utext, uint32_t room, void __user *upriority,
                bool nonblock, const struct mq_deadline *until);
void mq_describe(struct mq *q, struct mq_attr *out); /* flags are the file's affair */
uint32_t mq_poll(struct mq *q, struct poll_table *pt);
int mq_state_text(struct mq *q, char *buf, size_t size); /* what a read of its file gives */

struct mq_notification {
    int32_t kind, signo; /* SIGEV_* */
    uint32_t value;
};
#define SIGEV_SIGNAL 0
#define SIGEV_NONE   1
#define SIGEV_THREAD 2
/* The current process is told of the next message that comes to an empty queue. -EBUSY, -ENOMEM */
int mq_notify_on(struct mq *q, const struct mq_notification *n);
void mq_notify_off(struct mq *q); /* if it was to be */

/* ---- Names: names.c ---- */

/* A new file of the queue of that name, which is made if it has to be. name is not checked yet. */
int mq_file_open(const char *name, uint32_t flags, uint32_t mode, const struct mq_attr *attr,
                 struct file **out);
int mq_remove(const char *name);
struct mq *mq_of(const struct file *f); /* NULL: it is none */

#endif
