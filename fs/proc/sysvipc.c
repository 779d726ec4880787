/*
 * /proc/sysvipc: the segments of System V shared memory. man 5 proc
 */
#include "fs/proc/procfs.h"
#include "kernel/ipc/shm.h"

static void show_segment(struct text *t, const struct shm_segment *s)
{
    text_printf(t, "%10d %10d  %4o %10u %5d %5d  %5u %5u %5u %5u %5u ", s->key, s->id, s->mode,
                s->size, s->cpid, s->lpid, shm_attaches(s), s->uid, s->gid, s->cuid, s->cgid);
    text_printf(t, "%10llu %10llu %10llu %10u %10u\n", (unsigned long long)s->atime,
                (unsigned long long)s->dtime, (unsigned long long)s->ctime,
                vm_object_pages(s->object) << PAGE_SHIFT, 0u);
}

static int show_shm(struct text *t, const struct target *who)
{
    struct shm_segment *s;

    (void)who;
    text_printf(t, "       key      shmid perms       size  cpid  lpid nattch   uid   gid  cuid  "
                   "cgid      atime      dtime      ctime        rss       swap\n");
    spin_lock(&shm_lock);
    for (uint32_t i = 0; (s = shm_next(&i)); i++)
        show_segment(t, s);
    spin_unlock(&shm_lock);
    return 0;
}

const struct proc_entry sysvipc_entries[] = {
    FILE_ENTRY("shm", 0444, show_shm),
    {0},
};

/* ---- /proc/sys/kernel/shm ---- */

int show_shmmax(struct text *t, const struct target *who)
{
    (void)who;
    text_printf(t, "%u\n", shm_limits.max);
    return 0;
}

int show_shmall(struct text *t, const struct target *who)
{
    (void)who;
    text_printf(t, "%u\n", shm_limits.all);
    return 0;
}

int show_shmmni(struct text *t, const struct target *who)
{
    (void)who;
    text_printf(t, "%u\n", shm_limits.segments);
    return 0;
}

int store_shmmax(const char *text, size_t len, const struct target *who)
{
    (void)who;
    return sysctl_number(text, len, UINT32_MAX, &shm_limits.max);
}

int store_shmall(const char *text, size_t len, const struct target *who)
{
    (void)who;
    return sysctl_number(text, len, UINT32_MAX, &shm_limits.all);
}

int store_shmmni(const char *text, size_t len, const struct target *who)
{
    (void)who;
    return sysctl_number(text, len, SHM_MOST_SEGMENTS, &shm_limits.segments);
}
