/*
 * /proc/net and /proc/sys/net: sockets and what limits them. [man 5 proc, man 7 socket, man 7 unix]
 */
#include "fs/net/net.h"
#include "fs/proc/procfs.h"
#include "libc/errno.h"

static long read_unix(struct file *f, void __user *ubuf, size_t len, uint64_t *pos)
{
    (void)f;
    return lines_read(NULL, net_unix_line, ubuf, len, pos);
}

static const struct file_ops unix_ops = {.read = read_unix};

/* There are no interfaces. */
static int show_dev(struct text *t, const struct target *who)
{
    (void)who;
    text_printf(t, "Inter-|   Receive                                                |  Transmit\n"
                   " face |bytes    packets errs drop fifo frame compressed multicast|bytes    "
                   "packets errs drop fifo colls carrier compressed\n");
    return 0;
}

const struct proc_entry net_entries[] = {
    FILE_ENTRY("dev", 0444, show_dev),
    {.name = "unix", .kind = ENTRY_FILE, .mode = 0444, .fops = &unix_ops},
    {0},
};

/* ---- /proc/sys/net ---- */

SYSCTL_WORD(static, optmem_max, net_limits.optmem_max, 0, INT32_MAX)
SYSCTL_WORD(static, rmem_default, net_limits.rmem_default, NET_RCVBUF_LEAST, INT32_MAX)
SYSCTL_WORD(static, rmem_max, net_limits.rmem_max, NET_RCVBUF_LEAST, INT32_MAX)
SYSCTL_WORD(static, somaxconn, net_limits.somaxconn, 0, INT32_MAX)
SYSCTL_WORD(static, wmem_default, net_limits.wmem_default, NET_SNDBUF_LEAST, INT32_MAX)
SYSCTL_WORD(static, wmem_max, net_limits.wmem_max, NET_SNDBUF_LEAST, INT32_MAX)
SYSCTL_WORD(static, max_dgram_qlen, net_limits.max_dgram_qlen, 0, INT32_MAX)

static const struct proc_entry core_entries[] = {
    STORE_ENTRY("optmem_max", 0644, show_optmem_max, store_optmem_max),
    STORE_ENTRY("rmem_default", 0644, show_rmem_default, store_rmem_default),
    STORE_ENTRY("rmem_max", 0644, show_rmem_max, store_rmem_max),
    STORE_ENTRY("somaxconn", 0644, show_somaxconn, store_somaxconn),
    STORE_ENTRY("wmem_default", 0644, show_wmem_default, store_wmem_default),
    STORE_ENTRY("wmem_max", 0644, show_wmem_max, store_wmem_max),
    {0},
};

static const struct proc_entry unix_entries[] = {
    STORE_ENTRY("max_dgram_qlen", 0644, show_max_dgram_qlen, store_max_dgram_qlen),
    {0},
};

const struct proc_entry sysctl_net_entries[] = {
    DIR_ENTRY("core", 0555, core_entries),
    DIR_ENTRY("unix", 0555, unix_entries),
    {0},
};
