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

SYSCTL_WORD(static, file_max, fs_limits.files, 0, INT32_MAX)
SYSCTL_WORD(static, pipe_pages_soft, fs_limits.pipe_pages_soft, 0, INT32_MAX)
SYSCTL_WORD(static, pipe_pages_hard, fs_limits.pipe_pages_hard, 0, INT32_MAX)
SYSCTL_WORD(static, user_watches, fs_limits.user_watches, 0, INT32_MAX)
SYSCTL_WORD(static, mount_max, fs_limits.mounts, 1u, INT32_MAX)
SYSCTL_WORD(static, inotify_events, fs_limits.inotify_events, 0, INT32_MAX)
SYSCTL_WORD(static, inotify_groups, fs_limits.inotify_groups, 0, INT32_MAX)
SYSCTL_WORD(static, inotify_watches, fs_limits.inotify_watches, 0, INT32_MAX)

SYSCTL_WORD(static, msg_max, mq_limits.messages, 1u, MQ_MESSAGES_MOST)
SYSCTL_WORD(static, msgsize_max, mq_limits.bytes, MQ_BYTES_LEAST, MQ_BYTES_MOST)
SYSCTL_WORD(static, msg_default, mq_limits.default_messages, 1u, MQ_MESSAGES_MOST)
SYSCTL_WORD(static, msgsize_default, mq_limits.default_bytes, MQ_BYTES_LEAST, MQ_BYTES_MOST)

SYSCTL_WORD(static, queues_max, mq_limits.queues, 0, INT32_MAX)
SYSCTL_WORD(static, lease_break_time, lease_break_seconds, 0, INT32_MAX)
SYSCTL_WORD(static, leases_enable, leases_enabled, 0, INT32_MAX)

static int show_file_nr(struct text *t, const struct target *who)
{
    (void)who;
    text_printf(t, "%u\t0\t%u\n", files_open(), fs_limits.files);
    return 0;
}

static int show_aio_nr(struct text *t, const struct target *who)
{
    (void)who;
    text_printf(t, "%u\n", aio_requests());
    return 0;
}

SYSCTL_WORD(static, aio_max_nr, fs_limits.aio_requests, 0, UINT32_MAX)
SYSCTL_WORD(static, nr_open, fs_limits.nr_open, NR_OPEN_LEAST, NR_OPEN_MOST)

SYSCTL_WORD(static, dir_notify, fs_rules.dir_notify, 0, INT32_MAX)
SYSCTL_WORD(static, hardlinks, fs_rules.protected_hardlinks, 0, 1)
SYSCTL_WORD(static, fifos, fs_rules.protected_fifos, 0, 2)
SYSCTL_WORD(static, regular, fs_rules.protected_regular, 0, 2)
SYSCTL_WORD(static, symlinks, fs_rules.protected_symlinks, 0, 1)

/* Of file systems that keep ids of 16 bits, of which there is none. */
static uint32_t fs_overflow_uid = 65534, fs_overflow_gid = 65534;
SYSCTL_WORD(static, overflow_uid, fs_overflow_uid, 0, UINT16_MAX)
SYSCTL_WORD(static, overflow_gid, fs_overflow_gid, 0, UINT16_MAX)

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

SYSCTL_WORD(static, suid_dumpable, suid_dumpable, 0, DUMPABLE_ROOT)

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
    STORE_ENTRY("aio-max-nr", 0644, show_aio_max_nr, store_aio_max_nr),
    FILE_ENTRY("aio-nr", 0444, show_aio_nr),
    STORE_ENTRY("dir-notify-enable", 0644, show_dir_notify, store_dir_notify),
    DIR_ENTRY("epoll", 0555, epoll_entries),
    STORE_ENTRY("file-max", 0644, show_file_max, store_file_max),
    FILE_ENTRY("file-nr", 0444, show_file_nr),
    DIR_ENTRY("inotify", 0555, inotify_entries),
    STORE_ENTRY("lease-break-time", 0644, show_lease_break_time, store_lease_break_time),
    STORE_ENTRY("leases-enable", 0644, show_leases_enable, store_leases_enable),
    STORE_ENTRY("mount-max", 0644, show_mount_max, store_mount_max),
    DIR_ENTRY("mqueue", 0555, mqueue_entries),
    STORE_ENTRY("nr_open", 0644, show_nr_open, store_nr_open),
    STORE_ENTRY("overflowgid", 0644, show_overflow_gid, store_overflow_gid),
    STORE_ENTRY("overflowuid", 0644, show_overflow_uid, store_overflow_uid),
    STORE_ENTRY("pipe-max-size", 0644, show_pipe_max_size, store_pipe_max_size),
    STORE_ENTRY("pipe-user-pages-hard", 0644, show_pipe_pages_hard, store_pipe_pages_hard),
    STORE_ENTRY("pipe-user-pages-soft", 0644, show_pipe_pages_soft, store_pipe_pages_soft),
    STORE_ENTRY("protected_fifos", 0644, show_fifos, store_fifos),
    STORE_ENTRY("protected_hardlinks", 0644, show_hardlinks, store_hardlinks),
    STORE_ENTRY("protected_regular", 0644, show_regular, store_regular),
    STORE_ENTRY("protected_symlinks", 0644, show_symlinks, store_symlinks),
    STORE_ENTRY("suid_dumpable", 0644, show_suid_dumpable, store_suid_dumpable),
    {0},
};
