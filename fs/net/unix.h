/*
 * Sockets of the UNIX domain, as the files of this folder share them. [man 7 unix]
 *
 * One spin lock, net_lock, guards how sockets stand to each other: states, peers, names, queues,
 * accounts. Nothing sleeps or takes long under it; user memory is copied from and to packets that
 * only the caller has, or that s->read_lock keeps where they are.
 *
 * Whoever sends allocates a packet, is charged for it, fills it, and puts it into the queue of the
 * receiver; the charge goes back when the packet is freed, whoever reads it. So a socket's sndbuf
 * bounds what it has under way, and a user's sockets together have a bound, too (net_limits).
 */
#ifndef FS_NET_UNIX_H
#define FS_NET_UNIX_H

#include "fs/net/abi.h"
#include "fs/net/net.h"
#include "fs/notify/owner.h"
#include "fs/vfs/iov.h"
#include "fs/vfs/vfs.h"
#include "kernel/cred/user.h"

enum socket_state { SOCKET_IDLE, SOCKET_LISTENING, SOCKET_CONNECTED };

#define SHUT_RECV 1u /* bits of socket.shutdown */
#define SHUT_SEND 2u
#define SHUT_BOTH 3u

struct address {   /* never changes */
    uint32_t refs; /* atomic */
    uint32_t len;  /* as calls tell it */
    struct sockaddr_un name;
};

/* Who was at the other end when the connection was made: SO_PEERCRED, SO_PEERGROUPS. */
struct peer_ids {
    struct ucred cred;
    bool known; /* there are credentials at all */
    struct group_list *groups;
};

/* Descriptors on their way, with a reference to each file. */
struct rights {
    struct list link;      /* [net_lock] in holder->rights while they count as in flight */
    struct packet *packet; /* [net_lock] with which they are in a queue, or NULL */
    struct socket *holder; /* [net_lock] whose queue it is, if some of the files are sockets */
    struct user *user;     /* who sent them: charged */
    uint32_t scanned;      /* [net_lock] the collection that has looked at them last */
    uint32_t count;
    struct file *files[];
};

struct packet {
    struct list link;      /* [net_lock] in the receiver's queue */
    struct socket *sender; /* a reference: charged for it */
    struct rights *rights; /* [net_lock once queued] or NULL */
    uint32_t len;          /* bytes in it */
    uint32_t start;        /* [receiver's read_lock] how many of them were read, of a stream */
    uint32_t charge;       /* bytes of memory */
    struct ucred cred;
    bool has_cred; /* somebody asked for cred */
    bool peeked;   /* [net_lock] an empty one that SO_PEEK_OFF has passed once */
    uint16_t npages;
    void *body[]; /* frames; if npages is 0 the bytes themselves */
};

struct socket {
    uint32_t refs; /* atomic: its file, its peer, packets, whoever works on it */
    uint8_t type;
    uint8_t state;       /* [net_lock] enum socket_state */
    uint8_t shutdown;    /* [net_lock] SHUT_* */
    bool dead;           /* [net_lock] its file is closed, or its listener was before accept */
    int error;           /* [net_lock] for the next call, positive: SO_ERROR */
    struct file *file;   /* [net_lock] no reference; NULL before accept and after release */
    struct socket *peer; /* [net_lock] a reference */
    struct user *user;

    struct mutex bind_lock;
    struct address *address;  /* [net_lock] set once, under bind_lock; a reference, or NULL */
    struct dentry *node;      /* [net_lock] where it is bound in the file system, or NULL */
    struct socket *name_next; /* [net_lock] abstract names with the same hash */

    struct mutex read_lock;
    struct list queue;     /* [net_lock] packets to be read, oldest first */
    struct packet *urgent; /* [net_lock] the one in it whose byte is out of band, or NULL */
    uint32_t queued;       /* [net_lock] how many */
    uint32_t queue_bytes;  /* [net_lock] not read yet */
    uint32_t held;         /* [net_lock] memory of its queue and of those who wait for accept */
    uint32_t charged;      /* [net_lock] memory of its packets that are under way */

    struct socket *listener; /* [net_lock] who has it in pending; no reference */
    struct list pending;     /* [net_lock] connections that wait for accept, by pending_link */
    struct list pending_link;
    uint32_t pending_count; /* [net_lock] */
    uint32_t backlog;       /* [net_lock] queue: full above it */

    struct waitq readers;      /* who receives or accepts; woken one by one */
    struct waitq writers;      /* who waits for its own charge to fall */
    struct waitq senders;      /* who waits for room in its queue, or to be accepted */
    struct waitq watchers;     /* poll and epoll */
    struct async_list async;   /* O_ASYNC */
    struct list full_link;     /* [net_lock] in peer->watching_room */
    struct list watching_room; /* [net_lock] sockets whose poll found this one's queue full */

    struct list all_link;      /* [net_lock] */
    uint32_t number;           /* grows with every socket: the order of all_link */
    struct list carrier_link;  /* [net_lock] in carriers: has rights in its queue */
    struct list gray_link;     /* [net_lock] fs/net/collect.c */
    struct list rights;        /* [net_lock] those in its queue */
    uint32_t inflight;         /* [net_lock] how many of them name its file, in all queues */
    uint32_t reached, visited; /* [net_lock] fs/net/collect.c: by which collection, which pass */

    uint32_t sndbuf, rcvbuf, lowat;      /* words: options */
    uint64_t send_timeout, recv_timeout; /* ns; 0: none */
    int32_t peek_off;                    /* SO_PEEK_OFF, -1: off */
    uint64_t flags;                      /* options that are on or off: FLAG_OF */
    uint32_t linger[2];                  /* as SO_LINGER has it, without effect here */
    uint32_t priority, mark;
    struct peer_ids ids; /* [net_lock] of the peer; of a listener: its own */
};

/* Bits of socket.flags: the options that are on. */
#define FLAG_OF(option) (1ull << (option))
static inline bool socket_passes_cred(const struct socket *s)
{
    return s->flags & FLAG_OF(SO_PASSCRED);
}

extern struct spinlock net_lock; /* LOCK_RANK_FS */

/* What a call sends or receives: the user's buffers with how far they are used, name, control. */
struct message {
    uint32_t flags;     /* MSG_* of the call */
    uint32_t out_flags; /* what msg_flags tells */
    uint32_t len;       /* of all buffers */
    struct iov_cursor buffers;
    bool wants_name; /* receiving: the sender's name is asked for */
    uint32_t name_len;
    struct sockaddr_un name;
    struct rights *rights; /* to be sent, or received: consumed or freed by message_end */
    struct ucred cred;
    bool has_cred;
    void __user *control; /* receiving: what is left of the room */
    uint32_t control_len;
};

/* ---- socket.c: life, waiting, the file ---- */

extern const struct file_ops socket_file_ops;
struct socket *socket_of(const struct file *f); /* NULL: no socket */
/* One reference. -ENFILE, -ENOMEM. */
int socket_new(unsigned type, struct socket **out);
static inline void socket_ref(struct socket *s)
{
    __atomic_fetch_add(&s->refs, 1, __ATOMIC_RELAXED);
}
void socket_put(struct socket *s);
/* A file for a socket that socket_attach gives it. flags: O_NONBLOCK. */
int socket_file(uint32_t flags, struct file **out);
void socket_attach(struct socket *s, struct file *f); /* consumes the reference to s */
void socket_release(struct socket *s);                /* its end; drops a reference */
int socket_take_error(struct socket *s);              /* 0 or -errno; the error is told once */

/* When a call gives up: 0 at once, TIME_NEVER, or a time. timeout in ns, 0: none. */
uint64_t socket_deadline(bool at_once, uint64_t timeout);
/* Sleeps on q until ready(s). 0; -EAGAIN when the time has come; for a signal -ERESTARTSYS, or
 * -EINTR if there is a time. */
long socket_wait(struct waitq *q, bool (*ready)(const struct socket *s), const struct socket *s,
                 uint64_t until);
void socket_wake_readers(struct socket *s); /* something has come, or one more may read */
void socket_wake_all(struct socket *s);     /* its state has changed */
/* The charge has fallen: whoever waits for that, if it is low enough. */
bool socket_writable(const struct socket *s);
/* [net_lock held] Memory that s is the reason for. */
void socket_hold(struct socket *s, int32_t bytes);

/* ---- address.c ---- */

/* A user's sockaddr, of any family: -EINVAL, -EFAULT. */
int address_from_user(struct sockaddr_un *out, const void __user *uaddr, uint32_t len);
int address_to_user(const struct sockaddr_un *name, uint32_t len, void __user *uaddr,
                    void __user *ulen);
int address_check(const struct sockaddr_un *name, uint32_t len);
void address_put(struct address *a); /* NULL is allowed */
/* [net_lock held] The name of s into name; its length. */
uint32_t address_copy(const struct socket *s, struct sockaddr_un *name);
int address_bind(struct socket *s, struct sockaddr_un *name, uint32_t len);
int address_autobind(struct socket *s); /* 0 also when it has a name */
/* Whom a checked name leads to: a reference. -ECONNREFUSED, -EPROTOTYPE, those of a path. */
int address_find(struct sockaddr_un *name, uint32_t len, unsigned type, struct socket **out);
void address_unhash(struct socket *s); /* [net_lock held] nobody finds it any more */

/* ---- packet.c ---- */

/* A packet for len bytes, charged to s, for which there must be room in its sndbuf: may sleep.
 * -EAGAIN, -EPIPE, -ENOBUFS, -EMSGSIZE, what s->error says, what a signal does. */
int packet_new(struct socket *s, uint32_t len, uint32_t flags, struct packet **out);
void packet_free(struct packet *p);                   /* with its rights; may sleep */
int packet_fill(struct packet *p, struct message *m); /* all p->len bytes; -EFAULT */
int packet_copy(const struct packet *p, uint32_t from, uint32_t n, struct message *m);
/* [net_lock held] Into the queue of s, and out of it. */
void packet_queue(struct socket *s, struct packet *p);
void packet_unqueue(struct socket *s, struct packet *p);
static inline struct packet *packet_first(struct socket *s)
{
    return list_empty(&s->queue) ? NULL : list_first_entry(&s->queue, struct packet, link);
}
static inline struct packet *packet_next(struct socket *s, struct packet *p)
{
    return p->link.next == &s->queue ? NULL : container_of(p->link.next, struct packet, link);
}
/* The sender's ids, if it or the receiver wants them passed. */
void packet_stamp(struct packet *p, const struct socket *from, const struct socket *to);
void packet_show_cred(const struct packet *p, struct message *m);
/* The rights of p go to m: out of the queue, or copies of them. */
int packet_give_rights(struct packet *p, struct message *m, bool copy);

/* packet_new, packet_fill, and what m sends besides: all of it or -errno. */
int packet_make(struct socket *s, struct message *m, uint32_t n, struct packet **out);
void packet_show_sender(const struct packet *p, struct message *m);

/* ---- stream.c, datagram.c ---- */

long stream_send(struct socket *s, struct message *m);
long stream_recv(struct socket *s, struct message *m);
long datagram_send(struct socket *s, struct message *m);
long datagram_recv(struct socket *s, struct message *m);
bool datagram_has_room(struct socket *s); /* [net_lock held] at its peer; else it will be told */
/* s has got room: whoever polls for that is told. */
void datagram_tell_room(struct socket *s);
/* s is to send to and hear from peer (a reference) alone; NULL: to nobody in particular. */
void datagram_reconnect(struct socket *s, struct socket *peer);
int datagram_connect(struct socket *s, struct sockaddr_un *name, uint32_t len);

long socket_send(struct socket *s, struct message *m);
long socket_recv(struct socket *s, struct message *m);

/* ---- connect.c ---- */

void socket_pair(struct socket *a, struct socket *b);
int socket_listen(struct socket *s, uint32_t backlog);
int socket_connect(struct socket *s, struct sockaddr_un *name, uint32_t len, bool at_once);
/* The next connection: a reference. */
int socket_accept(struct socket *s, bool at_once, struct socket **out);
int socket_shutdown(struct socket *s, uint32_t how);
static inline bool socket_is_full(const struct socket *s)
{
    return (s->state == SOCKET_LISTENING ? s->pending_count : s->queued) > s->backlog;
}

/* ---- message.c ---- */

/* One buffer of len bytes at ubuf. */
void message_single(struct message *m, void __user *ubuf, uint32_t len, uint32_t flags);
void message_kernel(struct message *m, void *buf, uint32_t len, uint32_t flags);
void message_vector(struct message *m, const struct iov_set *iov, uint32_t flags);
void message_end(struct message *m);                       /* the rights that are left go */
int message_take(struct message *m, void *to, uint32_t n); /* the next n bytes; -EFAULT */
int message_give(struct message *m, const void *from, uint32_t n);

/* ---- control.c ---- */

int control_read(struct message *m, const void __user *ucontrol, uint32_t len);
void control_write(struct socket *s, struct message *m); /* what came, as far as there is room */

/* ---- rights.c ---- */

int rights_add(struct rights **r, const void __user *ufds, uint32_t n);
struct rights *rights_copy(const struct rights *r);         /* NULL: no memory */
int rights_charge(struct rights *r);                        /* -ETOOMANYREFS, -ENOMEM */
void rights_queue(struct socket *holder, struct packet *p); /* [net_lock held] */
void rights_unqueue(struct rights *r);                      /* [net_lock held] */
void rights_reach(const struct rights *r); /* [net_lock held] somebody is about to have them */
void rights_free(struct rights *r);        /* may sleep */
/* Descriptors in the current process, numbers into ufds: how many of at most n. */
uint32_t rights_install(struct rights *r, void __user *ufds, uint32_t n, bool cloexec);

/* ---- collect.c ---- */

void collect_reach(struct socket *s);   /* [net_lock held] somebody has got hold of s */
void collect_carrier(struct socket *s); /* [net_lock held] its first rights have come */
void collect(void);                     /* frees what only queues that nobody can read refer to */
extern uint32_t collect_inflight;       /* [net_lock] sockets' references in queues */
extern uint32_t collect_threshold;      /* of them: then a collection is worth while */
extern uint32_t collect_round;          /* [net_lock] the number of the newest collection */

/* ---- options.c ---- */

void options_init(struct socket *s);
long options_get(struct socket *s, int level, int name, void __user *uval, void __user *ulen);
long options_set(struct socket *s, int level, int name, const void __user *uval, uint32_t len);

#endif
