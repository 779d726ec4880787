/*
 * /proc/sys: the settings programs look for. Most are facts of this kernel and cannot be changed.
 */
#include "arch/thread.h"
#include "fs/proc/procfs.h"
#include "fs/dev/syslog.h"
#include "kernel/machine/random.h"
#include "kernel/thread/inject.h"
#include "kernel/thread/trace.h"
#include "kernel/thread/watchdog.h"
#include "kernel/machine/uts.h"
#include "kernel/base/log.h"
#include "kernel/base/version.h"
#include "libc/printf.h"
#include "libc/ctype.h"
#include "libc/errno.h"
#include "libc/string.h"

int sysctl_number(const char *text, size_t len, uint32_t max, uint32_t *out)
{
    const char *end = text + len, *s = text;
    uint64_t n = 0;

    while (s < end && isspace(*s))
        s++;
    if (s == end || !isdigit(*s))
        return -EINVAL;
    for (; s < end && isdigit(*s) && n <= UINT32_MAX; s++)
        n = n * 10 + (uint32_t)(*s - '0');
    if ((s < end && *s && !isspace(*s)) || n > max)
        return -EINVAL;
    *out = (uint32_t)n;
    return 0;
}

int sysctl_word(const char *text, size_t len, uint32_t least, uint32_t most, uint32_t *out)
{
    uint32_t n;
    int err = sysctl_number(text, len, most, &n);

    if (!err && n < least)
        err = -EINVAL;
    if (!err)
        *out = n;
    return err;
}

static int sysctl_signed(const char *text, size_t len, int32_t *out)
{
    uint32_t n;
    bool negative;
    int err;

    while (len && isspace(*text))
        text++, len--;
    negative = len && *text == '-';
    if (negative && len > 1 && isspace(text[1]))
        return -EINVAL;
    err = sysctl_number(text + negative, len - negative, INT32_MAX, &n);
    if (!err)
        *out = negative ? -(int32_t)n : (int32_t)n;
    return err;
}

/* ---- kernel ---- */

SYSCTL_FACT(ostype, UTS_SYSNAME)
SYSCTL_FACT(osrelease, UTS_RELEASE)
SYSCTL_FACT(uts_version, UTS_VERSION)
SYSCTL_WORD(static, pid_max, proc_pid_max, PID_MAX_LEAST, PID_MAX)

static int show_last_pid(struct text *t, const struct target *who)
{
    (void)who;
    text_printf(t, "%d\n", proc_last_pid());
    return 0;
}

/* For who restores processes, one of which is to get the next id. */
static int store_last_pid(const char *text, size_t len, const struct target *who)
{
    uint32_t pid;
    int err = sysctl_word(text, len, 0, proc_pid_max, &pid);

    (void)who;
    if (!capable(CAP_CHECKPOINT_RESTORE) && !capable(CAP_SYS_ADMIN))
        return -EPERM;
    if (!err)
        proc_set_last_pid((int32_t)pid);
    return err;
}

SYSCTL_FACT(cap_last_cap, "40")
SYSCTL_FACT(ngroups_max, "65536")
SYSCTL_WORD(static, overflow_uid, overflow_uid, 0, UINT16_MAX)
SYSCTL_WORD(static, overflow_gid, overflow_gid, 0, UINT16_MAX)

SYSCTL_WORD(static, randomize, randomize_va_space, 0, RANDOMIZE_BRK)

static int show_hostname(struct text *t, const struct target *who)
{
    char name[UTS_NAME_MAX + 1];

    (void)who;
    uts_get_hostname(name);
    text_printf(t, "%s\n", name);
    return 0;
}

static int show_domainname(struct text *t, const struct target *who)
{
    char name[UTS_NAME_MAX + 1];

    (void)who;
    uts_get_domainname(name);
    text_printf(t, "%s\n", name);
    return 0;
}

static size_t line_length(const char *text, size_t len)
{
    const char *end = memchr(text, '\n', len);

    return end ? (size_t)(end - text) : len;
}

static int store_hostname(const char *text, size_t len, const struct target *who)
{
    (void)who;
    return uts_set_hostname(text, line_length(text, len));
}

static int store_domainname(const char *text, size_t len, const struct target *who)
{
    (void)who;
    return uts_set_domainname(text, line_length(text, len));
}

static int show_threads_max(struct text *t, const struct target *who)
{
    (void)who;
    text_printf(t, "%u\n", proc_thread_limit());
    return 0;
}

static int store_threads_max(const char *text, size_t len, const struct target *who)
{
    uint32_t n;
    int err = sysctl_number(text, len, UINT32_MAX, &n);

    (void)who;
    return err ? err : proc_set_thread_limit(n);
}

/* Version 4 of RFC 4122. */
static void show_uuid_bytes(struct text *t, uint8_t u[16])
{
    u[6] = (u[6] & 0x0f) | 0x40;
    u[8] = (u[8] & 0x3f) | 0x80;
    for (int i = 0; i < 16; i++)
        text_printf(t, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", u[i]);
    text_write(t, "\n", 1);
}

static int show_uuid(struct text *t, const struct target *who)
{
    uint8_t u[16];

    (void)who;
    random_bytes(u, sizeof(u));
    show_uuid_bytes(t, u);
    return 0;
}

static int show_boot_id(struct text *t, const struct target *who)
{
    static struct spinlock lock = SPINLOCK_INIT("boot_id", LOCK_RANK_FS);
    static uint8_t id[16];
    static bool made; /* [lock] */

    (void)who;
    spin_lock(&lock);
    if (!made)
        random_bytes(id, sizeof(id));
    made = true;
    spin_unlock(&lock);
    show_uuid_bytes(t, id);
    return 0;
}

SYSCTL_FACT(entropy, "256")

static int show_trace(struct text *t, const struct target *who)
{
    char names[64];

    (void)who;
    trace_get(names, sizeof(names));
    text_printf(t, "%s\n", names[0] ? names : "none");
    return 0;
}

static int store_trace(const char *text, size_t len, const struct target *who)
{
    (void)who;
    return trace_set(text, line_length(text, len));
}

static int show_inject(struct text *t, const struct target *who)
{
    char text[96];

    (void)who;
    inject_show(text, sizeof(text));
    text_printf(t, "%s", text);
    return 0;
}

static int store_inject(const char *text, size_t len, const struct target *who)
{
    char line[96];

    (void)who;
    if (len >= sizeof(line))
        return -EINVAL;
    memcpy(line, text, len);
    line[len] = '\0';
    return inject_set(line);
}

SYSCTL_WORD(static, hung_secs, watchdog_limits.hung_secs, 0, WATCHDOG_HUNG_MAX)

SYSCTL_WORD(static, thresh, watchdog_limits.thresh_secs, 0, WATCHDOG_THRESH_MAX)

/* ---- The log; what the machine does when it is pressed ---- */

/* The level of what the consoles show; of lines without a level; the least and the usual one. */
static int show_printk(struct text *t, const struct target *who)
{
    (void)who;
    text_printf(t, "%d\t4\t1\t7\n", log_level());
    return 0;
}

static int store_printk(const char *text, size_t len, const struct target *who)
{
    char *end;
    unsigned long level = strtoul(text, &end, 10);

    (void)who, (void)len;
    if (end == text || level > 15)
        return -EINVAL;
    log_set_level((int)level);
    return 0;
}

SYSCTL_WORD(static, dmesg_restrict, log_restricted, 0, 1)
SYSCTL_WORD(static, kptr_restrict, symbols_restricted, 0, 2)
SYSCTL_FACT(zero, "0")
SYSCTL_FACT(one, "1")
SYSCTL_FACT(arch_name, UTS_MACHINE)

/* ---- Scheduling ---- */

static int show_period(struct text *t, const struct target *who)
{
    (void)who;
    text_printf(t, "%d\n", (int)sched_settings.realtime_period_us);
    return 0;
}

static int store_period(const char *text, size_t len, const struct target *who)
{
    int32_t us;
    int err = sysctl_signed(text, len, &us);

    (void)who;
    return err ? err : sched_set_realtime(us, sched_settings.realtime_runtime_us);
}

static int show_runtime(struct text *t, const struct target *who)
{
    (void)who;
    text_printf(t, "%d\n", (int)sched_settings.realtime_runtime_us);
    return 0;
}

static int store_runtime(const char *text, size_t len, const struct target *who)
{
    int32_t us;
    int err = sysctl_signed(text, len, &us);

    (void)who;
    return err ? err : sched_set_realtime(sched_settings.realtime_period_us, us);
}

SYSCTL_WORD(static, least, sched_settings.deadline_period_min_us, 0,
            sched_settings.deadline_period_max_us)
SYSCTL_WORD(static, most, sched_settings.deadline_period_max_us,
            sched_settings.deadline_period_min_us, UINT32_MAX)
SYSCTL_FACT(slice, "100")

static const struct proc_entry random_entries[] = {
    FILE_ENTRY("boot_id", 0444, show_boot_id),
    FILE_ENTRY("entropy_avail", 0444, show_entropy),
    FILE_ENTRY("poolsize", 0444, show_entropy),
    FILE_ENTRY("uuid", 0444, show_uuid),
    {0},
};

#define KERNEL_ENTRIES 64 /* with room for sysctl_add(); the last stays empty */

static struct proc_entry kernel_entries[KERNEL_ENTRIES] = {
    FILE_ENTRY("arch", 0444, show_arch_name),
    FILE_ENTRY("cad_pid", 0444, show_one),
    FILE_ENTRY("cap_last_cap", 0444, show_cap_last_cap),
    STORE_ENTRY("domainname", 0644, show_domainname, store_domainname),
    STORE_ENTRY("dmesg_restrict", 0644, show_dmesg_restrict, store_dmesg_restrict),
    STORE_ENTRY("hostname", 0644, show_hostname, store_hostname),
    STORE_ENTRY("hung_task_timeout_secs", 0644, show_hung_secs, store_hung_secs),
    STORE_ENTRY("inject", 0644, show_inject, store_inject),
    STORE_ENTRY("kptr_restrict", 0644, show_kptr_restrict, store_kptr_restrict),
    STORE_ENTRY("msg_next_id", 0644, show_msg_next, store_msg_next),
    STORE_ENTRY("msgmax", 0644, show_msgmax, store_msgmax),
    STORE_ENTRY("msgmnb", 0644, show_msgmnb, store_msgmnb),
    STORE_ENTRY("msgmni", 0644, show_msgmni, store_msgmni),
    STORE_ENTRY("ns_last_pid", 0666, show_last_pid, store_last_pid),
    FILE_ENTRY("ngroups_max", 0444, show_ngroups_max),
    FILE_ENTRY("osrelease", 0444, show_osrelease),
    FILE_ENTRY("ostype", 0444, show_ostype),
    STORE_ENTRY("overflowgid", 0644, show_overflow_gid, store_overflow_gid),
    STORE_ENTRY("overflowuid", 0644, show_overflow_uid, store_overflow_uid),
    FILE_ENTRY("panic_on_oops", 0444, show_one),
    STORE_ENTRY("pid_max", 0644, show_pid_max, store_pid_max),
    STORE_ENTRY("printk", 0644, show_printk, store_printk),
    DIR_ENTRY("random", 0555, random_entries),
    STORE_ENTRY("randomize_va_space", 0644, show_randomize, store_randomize),
    STORE_ENTRY("sched_deadline_period_max_us", 0644, show_most, store_most),
    STORE_ENTRY("sched_deadline_period_min_us", 0644, show_least, store_least),
    FILE_ENTRY("sched_rr_timeslice_ms", 0444, show_slice),
    STORE_ENTRY("sched_rt_period_us", 0644, show_period, store_period),
    STORE_ENTRY("sched_rt_runtime_us", 0644, show_runtime, store_runtime),
    STORE_ENTRY("sem", 0644, show_semlimits, store_semlimits),
    STORE_ENTRY("sem_next_id", 0644, show_sem_next, store_sem_next),
    STORE_ENTRY("shm_next_id", 0644, show_shm_next_id, store_shm_next_id),
    STORE_ENTRY("shm_rmid_forced", 0644, show_shm_forced, store_shm_forced),
    STORE_ENTRY("shmall", 0644, show_shmall, store_shmall),
    STORE_ENTRY("shmmax", 0644, show_shmmax, store_shmmax),
    STORE_ENTRY("shmmni", 0644, show_shmmni, store_shmmni),
    FILE_ENTRY("sysrq", 0444, show_one),
    FILE_ENTRY("tainted", 0444, show_zero),
    STORE_ENTRY("threads-max", 0644, show_threads_max, store_threads_max),
    STORE_ENTRY("trace", 0644, show_trace, store_trace),
    FILE_ENTRY("version", 0444, show_uts_version),
    STORE_ENTRY("watchdog_thresh", 0644, show_thresh, store_thresh),
};

void sysctl_add(const struct proc_entry *e)
{
    proc_table_add(kernel_entries, KERNEL_ENTRIES, e);
}

const struct proc_entry sysctl_entries[] = {
    DIR_ENTRY("fs", 0555, sysctl_fs_entries),
    DIR_ENTRY("kernel", 0555, kernel_entries),
    DIR_ENTRY("net", 0555, sysctl_net_entries),
    DIR_ENTRY("vm", 0555, sysctl_vm_entries),
    {0},
};
