/*
 * Propagation: what is mounted in one mount of a group appears in the others, and in those that
 * follow it. All here is called with mount_lock held. [man 7 mount_namespaces]
 *
 * Shared mounts are members of a group; one that follows a group is its slave, and may be a member
 * of another. The members of a group follow the same one, if any.
 */
#ifndef FS_PROPAGATE_H
#define FS_PROPAGATE_H

#include "fs/vfs/mount.h"

struct mount_group {
    uint32_t id;         /* in mountinfo: the lowest that is free */
    struct list link;    /* of all groups, by id */
    struct list members; /* by mount.peer; never empty */
    struct list slaves;  /* by mount.slave */
    /* While something is spread: */
    struct mount_group *next; /* whose turn it is after this one's */
    bool queued;              /* its turn comes, or was */
    struct mount *source;     /* what the members and slaves get copies of */
    struct mount *seat;       /* the member that has it already; NULL: it belongs to no member */
};

enum propagation { PRIVATE, SHARED, SLAVE, UNBINDABLE };

/* top, and if deep all below it, become that. -ENOMEM: nothing has changed. */
int propagation_set(struct mount *top, enum propagation to, bool deep);
void propagation_end(struct mount *m); /* m is leaving the tree */
bool propagation_has_unbindable(struct mount *top);

/* How a copy relates to what it is a copy of: a member of its group; a slave; that and a group. */
enum relation { PEER, FOLLOWER, FOLLOWER_SHARED };
int propagation_relate(struct mount *copy, struct mount *of, enum relation how);

/* Moves top, or puts it, to where, and copies of it to where that propagates. As mount_graft. */
int propagation_mount(struct mount *top, const struct path *where);
/* Whether m, or what would go with it elsewhere, is in use. */
bool propagation_busy(struct mount *m);
/* Takes top with all below it out of the tree, and what was mounted with it elsewhere. */
void propagation_umount(struct mount *top);
/* The nearest group that m follows and that has a member below root; 0: none. */
uint32_t propagation_source(struct mount *m, const struct path *root);

#endif
