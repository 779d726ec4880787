/*
 * Limits on the objects of the file layer; docs/limits.md lists them beside all others.
 */
#ifndef FS_LIMITS_H
#define FS_LIMITS_H

#include <stdint.h>

extern struct fs_limits { /* words, read without a lock */
    uint32_t files;       /* file-max; root may have more */
    uint32_t
        pipe_pages_soft; /* pipe-user-pages-soft: beyond it a user's new pipes are small; 0: none */
    uint32_t pipe_pages_hard; /* pipe-user-pages-hard: beyond it he gets none; 0: no such limit */
    uint32_t pipe_bytes;      /* pipe-max-size: of one pipe */
    uint32_t user_watches;    /* epoll/max_user_watches */
    uint32_t inotify_events;  /* inotify/max_queued_events: of a group */
    uint32_t inotify_groups;  /* inotify/max_user_instances */
    uint32_t inotify_watches; /* inotify/max_user_watches */
    uint32_t mounts;          /* mount-max */
    uint32_t aio_requests;    /* aio-max-nr: of all contexts together */
    uint32_t locks;           /* of all files */
    uint32_t nr_open;         /* the most that RLIMIT_NOFILE can be set to */
} fs_limits;
void fs_limits_init(void);

extern struct fs_rules {          /* words, 0: off */
    uint32_t dir_notify;          /* dir-notify-enable: F_NOTIFY */
    uint32_t protected_hardlinks; /* others' files are linked by who may write them only */
    uint32_t protected_symlinks;  /* in places like /tmp, links are followed for their owner only */
    uint32_t protected_fifos; /* there, O_CREAT opens nobody else's; 2: nor where a group writes */
    uint32_t protected_regular; /* the same for files */
} fs_rules;

extern uint32_t unprivileged_userfaultfd; /* /proc/sys/vm: fs/event/userfault.c */

uint32_t aio_requests(void); /* how many all contexts were made for: aio-nr */
uint32_t files_open(void);   /* open files of the whole machine: file-nr */

#endif
