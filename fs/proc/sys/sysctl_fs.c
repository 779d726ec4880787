/*
 * /proc/sys/fs: limits of the file layer.
 */
#include "fs/proc/procfs.h"
#include "fs/mqueue/mqueue.h"
#include "fs/vfs/internal.h"
#include "fs/vfs/limits.h"
#include "libc/errno.h"

#define PIPE_BYTES_MOST (1u << 31)
#define NR_OPEN_LEAST   32u
#define NR_OPEN_MOST    0x3fffffe0u /* as on Linux i386 */

/* A limit that root may change. */
#define LIMIT(name, field, largest)                                                                \
    static int show_##name(struct text *t, const struct target *who)                               \
    {                                                                                              \
        (void)who;                                                                                 \
        text_printf(t, "%u\n", fs_limits.field);                                                   \
        return 0;                                                                                  \
    }                                                                                              \
    static int store_##name(const char *text, size_t len, const struct target *who)                \
    {                                                                                              \
        (void)who;                                                                                 \
        return sysctl_number(text, len, largest, &fs_limits.field);                                \
    }

LIMIT(file_max, files, INT32_MAX)
LIMIT(pipe_pages_soft, pipe_pages_soft, INT32_MAX)
LIMIT(pipe_pages_hard, pipe_pages_hard, INT32_MAX)
LIMIT(user_watches, user_watches, INT32_MAX)
LIMIT(mount_max, mounts, INT32_MAX)
LIMIT(inotify_events, inotify_events, INT32_MAX)
LIMIT(inotify_groups, inotify_groups, INT32_MAX)
LIMIT(inotify_watches, inotify_watches, INT32_MAX)

/* The same of message queues, with a least value. */
#define MQ_LIMIT(name, field, smallest, largest)                                                   \
    static int show_##name(struct text *t, const struct target *who)                               \
    {                                                                                              \
        (void)who;                                                                                 \
        text_printf(t, "%u\n", (unsigned)mq_limits.field);                                         \
        return 0;                                                                                  \
    }                                                                                              \
    static int store_##name(const char *text, size_t len, const struct target *who)                \
    {                                                                                              \
        uint32_t n;                                                                                \
        int err = sysctl_number(text, len, largest, &n);                                           \
                                                                                                   \
        (void)who;                                                                                 \
        if (!err && n < (smallest))                                                                \
            err = -EINVAL;                                                                         \
        if (!err)                                                                                  \
            mq_limits.field = n;                                                                   \
        return err;                                                                                \
    }

MQ_LIMIT(msg_max, messages, 1u, MQ_MESSAGES_MOST)
MQ_LIMIT(msgsize_max, bytes, MQ_BYTES_LEAST, MQ_BYTES_MOST)
MQ_LIMIT(msg_default, default_messages, 1u, MQ_MESSAGES_MOST)
MQ_LIMIT(msgsize_default, default_bytes, MQ_BYTES_LEAST, MQ_BYTES_MOST)

#define WORD(name, variable)                                                                       \
    static int show_##name(struct text *t, const struct target *who)                               \
    {                                                                                              \
        (void)who;                                                                                 \
        text_printf(t, "%u\n", (unsigned)(variable));                                              \
        return 0;                                                                                  \
    }                                                                                              \
    static int store_##name(const char *text, size_t len, const struct target *who)                \
    {                                                                                              \
        (void)who;                                                                                 \
        return sysctl_number(text, len, INT32_MAX, &(variable));                                   \
    }

WORD(queues_max, mq_limits.queues)
WORD(lease_break_time, lease_break_seconds)
WORD(leases_enable, leases_enabled)

static int show_file_nr(struct text *t, const struct target *who)
{
    (void)who;
    text_printf(t, "%u\t0\t%u\n", files_open(), fs_limits.files);
    return 0;
}

static int show_nr_open(struct text *t, const struct target *who)
{
    (void)who;
    text_printf(t, "%u\n", fs_limits.nr_open);
    return 0;
}

static int store_nr_open(const char *text, size_t len, const struct target *who)
{
    uint32_t n;
    int err = sysctl_number(text, len, NR_OPEN_MOST, &n);

    (void)who;
    if (!err && n < NR_OPEN_LEAST)
        err = -EINVAL;
    if (!err)
        fs_limits.nr_open = n;
    return err;
}

static int show_on(struct text *t, const struct target *who)
{
    (void)who;
    text_printf(t, "1\n");
    return 0;
}

static int show_overflow_id(struct text *t, const struct target *who)
{
    (void)who;
    text_printf(t, "65534\n");
    return 0;
}

static int show_pipe_max_size(struct text *t, const struct target *who)
{
    (void)who;
    text_printf(t, "%u\n", fs_limits.pipe_bytes);
    return 0;
}

/* Rounded up to what a pipe can have. */
static int store_pipe_max_size(const char *text, size_t len, const struct target *who)
{
    uint32_t asked, size = PAGE_SIZE;
    int err = sysctl_number(text, len, PIPE_BYTES_MOST, &asked);

    (void)who;
    while (!err && size < asked)
        size *= 2;
    if (!err)
        fs_limits.pipe_bytes = size;
    return err;
}

static int show_off(struct text *t, const struct target *who)
{
    (void)who;
    text_printf(t, "0\n");
    return 0;
}

static int show_suid_dumpable(struct text *t, const struct target *who)
{
    (void)who;
    text_printf(t, "%u\n", (unsigned)suid_dumpable);
    return 0;
}

static int store_suid_dumpable(const char *text, size_t len, const struct target *who)
{
    (void)who;
    return sysctl_number(text, len, DUMPABLE_ROOT, &suid_dumpable);
}

static const struct proc_entry epoll_entries[] = {
    STORE_ENTRY("max_user_watches", 0644, show_user_watches, store_user_watches),
    {0},
};

static const struct proc_entry mqueue_entries[] = {
    STORE_ENTRY("msg_default", 0644, show_msg_default, store_msg_default),
    STORE_ENTRY("msg_max", 0644, show_msg_max, store_msg_max),
    STORE_ENTRY("msgsize_default", 0644, show_msgsize_default, store_msgsize_default),
    STORE_ENTRY("msgsize_max", 0644, show_msgsize_max, store_msgsize_max),
    STORE_ENTRY("queues_max", 0644, show_queues_max, store_queues_max),
    {0},
};

static const struct proc_entry inotify_entries[] = {
    STORE_ENTRY("max_queued_events", 0644, show_inotify_events, store_inotify_events),
    STORE_ENTRY("max_user_instances", 0644, show_inotify_groups, store_inotify_groups),
    STORE_ENTRY("max_user_watches", 0644, show_inotify_watches, store_inotify_watches),
    {0},
};

const struct proc_entry sysctl_fs_entries[] = {
    FILE_ENTRY("dir-notify-enable", 0444, show_on),
    DIR_ENTRY("epoll", 0555, epoll_entries),
    STORE_ENTRY("file-max", 0644, show_file_max, store_file_max),
    FILE_ENTRY("file-nr", 0444, show_file_nr),
    DIR_ENTRY("inotify", 0555, inotify_entries),
    STORE_ENTRY("lease-break-time", 0644, show_lease_break_time, store_lease_break_time),
    STORE_ENTRY("leases-enable", 0644, show_leases_enable, store_leases_enable),
    STORE_ENTRY("mount-max", 0644, show_mount_max, store_mount_max),
    DIR_ENTRY("mqueue", 0555, mqueue_entries),
    STORE_ENTRY("nr_open", 0644, show_nr_open, store_nr_open),
    FILE_ENTRY("overflowgid", 0444, show_overflow_id),
    FILE_ENTRY("overflowuid", 0444, show_overflow_id),
    STORE_ENTRY("pipe-max-size", 0644, show_pipe_max_size, store_pipe_max_size),
    STORE_ENTRY("pipe-user-pages-hard", 0644, show_pipe_pages_hard, store_pipe_pages_hard),
    STORE_ENTRY("pipe-user-pages-soft", 0644, show_pipe_pages_soft, store_pipe_pages_soft),
    FILE_ENTRY("protected_hardlinks", 0444, show_on),
    FILE_ENTRY("protected_symlinks", 0444, show_off),
    STORE_ENTRY("suid_dumpable", 0644, show_suid_dumpable, store_suid_dumpable),
    {0},
};
