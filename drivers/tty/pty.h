/*
 * Pseudo-terminals: a terminal (the slave) whose other side is a file (the master) instead of
 * hardware. For the files of this folder that make one up.
 *
 * A pty lives until both sides are closed, and keeps its number so long. Its node in the devpts
 * goes when the master is closed.
 */
#ifndef DRIVERS_TTY_PTY_H
#define DRIVERS_TTY_PTY_H

#include "drivers/tty/tty_file.h"

#define PTY_RING_PAGES 2u
#define PTY_RING_SIZE  (PTY_RING_PAGES * PAGE_SIZE)
#define PTY_NO_INDEX   UINT32_MAX

struct devpts; /* one mounted instance: its numbers, and how its nodes are made */

/* Bytes on their way: [tail, head). */
struct pty_ring {
    char *page[PTY_RING_PAGES];
    uint32_t head, tail;
};

static inline uint32_t pty_ring_count(const struct pty_ring *r)
{
    return r->head - r->tail;
}

struct pty {
    struct tty slave;        /* whose lock guards the rest */
    struct devpts *instance; /* a reference */
    struct list link;        /* [devpts_lock] in instance->ptys */
    struct inode *node;      /* [mount_lock] in the devpts, a reference; NULL: gone */
    uint32_t index;          /* of /dev/pts/N */
    bool locked;             /* [slave.lock] TIOCSPTLCK: the slave cannot be opened */
    bool slave_closed;       /* [slave.lock] it was open, and is not */
    uint32_t slave_files;    /* [slave.lock] open files of it */

    struct pty_ring output; /* [slave.lock] what the slave wrote and the master has not read */
    struct pty_ring input;  /* [slave.lock] what the slave had no room for; pages come with need */
    bool feeding;           /* [slave.lock] somebody moves input to the slave */
    bool packet;            /* [slave.lock] TIOCPKT */
    uint8_t events;         /* [slave.lock] TIOCPKT_*, for the next packet */
    bool master_stopped;    /* [slave.lock] TCXONC on the master: it writes nothing */
    bool master_exclusive;  /* [slave.lock] TIOCEXCL on the master */
    bool writing;           /* [slave.lock] somebody is in the middle of a write to the master */
    struct waitq wait;      /* of the master: for output to read, or room for input */
};

static inline struct pty *pty_of(struct tty *slave)
{
    return container_of(slave, struct pty, slave);
}

/* pty.c. [slave.lock held] */
void pty_drop_output(struct pty *p); /* forgets what the master has not read */
size_t pty_append(struct pty *p, const char *s, size_t n);
/* Input from the master, one step of bounded work; how many bytes were taken. No locks held. */
size_t pty_feed(struct pty *p, const char *s, size_t n);

/* devpts.c */

/* The instance for a ptmx that is opened there: where it lies itself, or what is mounted on "pts"
 * beside it. A reference. -ENODEV. */
int devpts_find(const struct path *ptmx, struct devpts **out);
void devpts_put(struct devpts *i);
/* The lowest free number of its instance for p: -ENOSPC. Given back by devpts_release_index. */
int devpts_take_index(struct pty *p);
void devpts_release_index(struct pty *p);
/* Makes the node of p, or takes it away. -ENOMEM, -ENODEV. May sleep. */
int devpts_add_node(struct pty *p);
void devpts_remove_node(struct pty *p);
/* The pty of a node, with a reference to its slave; NULL: its master is gone, or it is no node. */
struct pty *devpts_pty(struct inode *node);
/* Where its node is, a reference; false: it is gone. */
bool devpts_place(struct pty *p, struct path *out);
void devpts_init(void);

#endif
