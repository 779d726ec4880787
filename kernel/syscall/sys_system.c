/* The machine as a whole: sysinfo, getrandom, reboot. */
#include "fs/vfs/vfs.h"
#include "arch/processors.h"
#include "arch/thread.h"
#include "arch/uaccess.h"
#include "kernel/thread/load.h"
#include "kernel/base/log.h"
#include "kernel/thread/proc.h"
#include "kernel/machine/random.h"
#include "kernel/machine/power.h"
#include "kernel/time/time.h"
#include "libc/errno.h"
#include "libc/string.h"
#include "mm/swap.h"

/* ---- sysinfo ---- */

struct user_sysinfo {
    int32_t uptime;
    uint32_t loads[3];
    uint32_t totalram, freeram, sharedram, bufferram, totalswap, freeswap;
    uint16_t procs, pad;
    uint32_t totalhigh, freehigh, mem_unit;
    char reserved[8];
};
#define SI_LOAD_SHIFT 16

/* In bytes, or in pages where that does not fit into 32 bits. */
static void count_memory(struct user_sysinfo *s)
{
    struct vm_swap_stats swap;
    struct mem_stats m;
    uint32_t pages;

    mm_stats(&m);
    vm_swap_stats(&swap);
    s->mem_unit = m.total + swap.total > UINT32_MAX / PAGE_SIZE ? PAGE_SIZE : 1;
    pages = PAGE_SIZE / s->mem_unit;
    s->totalram = m.total * pages;
    s->freeram = m.free * pages;
    s->sharedram = m.cached_shmem * pages;
    s->totalswap = swap.total * pages;
    s->freeswap = (swap.total - swap.used) * pages;
}

long sys_sysinfo(void __user *ubuf)
{
    struct user_sysinfo s;

    memset(&s, 0, sizeof(s));
    load_average(s.loads);
    for (int i = 0; i < 3; i++)
        s.loads[i] <<= SI_LOAD_SHIFT - LOAD_SHIFT;
    s.uptime = (int32_t)(time_mono_ns() / NSEC_PER_SEC);
    count_memory(&s);
    s.procs = (uint16_t)proc_count_threads();
    return copy_to_user(ubuf, &s, sizeof(s));
}

/* ---- getrandom ---- */

#define GRND_RANDOM   2u
#define GRND_INSECURE 4u
#define GRND_ALL      7u

/* There is enough at once: nothing blocks, and all sources are one. */
long sys_getrandom(void __user *ubuf, uint32_t len, uint32_t flags)
{
    if ((flags & ~GRND_ALL) ||
        (flags & (GRND_RANDOM | GRND_INSECURE)) == (GRND_RANDOM | GRND_INSECURE))
        return -EINVAL;
    if (len > INT32_MAX)
        len = INT32_MAX;
    return user_range_ok(ubuf, len) ? random_to_user(ubuf, len) : -EFAULT;
}

/* ---- reboot ---- */

#define REBOOT_MAGIC1 0xfee1deadu
#define CMD_RESTART   0x01234567u
#define CMD_HALT      0xcdef0123u
#define CMD_POWER_OFF 0x4321fedcu
#define CMD_RESTART2  0xa1b2c3d4u
#define CMD_CAD_ON    0x89abcdefu
#define CMD_CAD_OFF   0x00000000u

static bool magic2_ok(uint32_t magic)
{
    return magic == 672274793 || magic == 85072278 || magic == 369367448 || magic == 537993216;
}

static bool is_end(uint32_t cmd)
{
    return cmd == CMD_RESTART || cmd == CMD_RESTART2 || cmd == CMD_HALT || cmd == CMD_POWER_OFF;
}

long sys_reboot(uint32_t magic1, uint32_t magic2, uint32_t cmd)
{
    if (!capable(CAP_SYS_BOOT))
        return -EPERM;
    if (magic1 != REBOOT_MAGIC1 || !magic2_ok(magic2))
        return -EINVAL;
    if (is_end(cmd))
        vfs_shutdown();
    switch (cmd) {
    case CMD_RESTART:
    case CMD_RESTART2:
        machine_restart();
    case CMD_HALT:
        machine_halt();
    case CMD_POWER_OFF:
        machine_power_off(true);
    case CMD_CAD_ON:
    case CMD_CAD_OFF:
        machine_set_ctrl_alt_del(cmd == CMD_CAD_ON);
        return 0;
    default:
        return -EINVAL;
    }
}

/*
 * Waits until the other processors have passed a barrier: they are all interrupted, and come back
 * by IRET, which serializes. A process says first that it will use the quick ones; exec forgets
 * that. man 2 membarrier
 */
enum {
    MEMBARRIER_QUERY = 0,
    MEMBARRIER_GLOBAL = 1,
    MEMBARRIER_GLOBAL_EXPEDITED = 2,
    MEMBARRIER_REGISTER_GLOBAL = 4,
    MEMBARRIER_PRIVATE = 8,
    MEMBARRIER_REGISTER_PRIVATE = 16,
    MEMBARRIER_SYNC_CORE = 32,
    MEMBARRIER_REGISTER_SYNC_CORE = 64,
    MEMBARRIER_ALL = 127,
};

long sys_membarrier(uint32_t cmd, uint32_t flags)
{
    struct proc *p = proc_current();

    if (flags)
        return -EINVAL;
    switch (cmd) {
    case MEMBARRIER_QUERY:
        return MEMBARRIER_ALL;
    case MEMBARRIER_GLOBAL:
    case MEMBARRIER_GLOBAL_EXPEDITED:
        cpus_barrier();
        return 0;
    case MEMBARRIER_REGISTER_GLOBAL:
    case MEMBARRIER_REGISTER_PRIVATE:
    case MEMBARRIER_REGISTER_SYNC_CORE:
        p->membarriers |= (uint8_t)cmd;
        return 0;
    case MEMBARRIER_PRIVATE:
    case MEMBARRIER_SYNC_CORE:
        if (!(p->membarriers & cmd << 1))
            return -EPERM;
        cpus_barrier();
        return 0;
    default:
        return -EINVAL;
    }
}
