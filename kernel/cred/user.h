/*
 * Accounts of users: what is limited by user, not by process.
 */
#ifndef KERNEL_USER_H
#define KERNEL_USER_H

#include <stdbool.h>
#include <stdint.h>

enum user_count {
    USER_PIPE_PAGES,
    USER_WATCHES,
    USER_INOTIFY_GROUPS,
    USER_INOTIFY_WATCHES,
    USER_SOCKET_BYTES, /* of memory under way between sockets */
    USER_INFLIGHT,     /* descriptors on their way */
    USER_QUEUE_BYTES,  /* that message queues can hold */
    USER_LOCKED_PAGES, /* of System V segments */
    USER_SIGNALS,      /* that wait, and timers, which may each have one wait */
    USER_COUNT_KINDS
};

struct user;
struct user *user_get(void); /* the current process's real user; a reference, or NULL: no memory */
struct user *user_get_uid(uint32_t uid); /* the same of any user; no lock above USER is held */
uint32_t user_counted(uint32_t uid, enum user_count kind);
void user_put(struct user *u);
/* n more, unless that is over the limit. */
bool user_charge(struct user *u, enum user_count kind, uint32_t n, uint32_t limit);
void user_uncharge(struct user *u, enum user_count kind, uint32_t n);

#endif
