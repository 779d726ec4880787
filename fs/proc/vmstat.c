/*
#include "mm/see.h"
 * /proc/vmstat, slabinfo and buddyinfo: counts of frames and events, in Linux's formats.
#include "mm/see.h"
 */
#include "mm/see.h"
#include "arch/thread.h"
#include "mm/see.h"
#include "fs/proc/procfs.h"
#include "mm/see.h"
#include "fs/ram/ramfs.h"
#include "mm/see.h"

#include "mm/see.h"
#define ORDERS 11 /* columns of buddyinfo */
#include "mm/see.h"

#include "mm/see.h"
int show_vmstat(struct text *t, const struct target *who)
#include "mm/see.h"
{
#include "mm/see.h"
    struct mem_stats m;
#include "mm/see.h"
    struct frame_census c;
#include "mm/see.h"
    uint32_t shared;
#include "mm/see.h"

#include "mm/see.h"
    (void)who;
#include "mm/see.h"
    mm_stats(&m);
#include "mm/see.h"
    vm_frame_census(&c);
#include "mm/see.h"
    shared = m.cached_shmem + ramfs_total_pages();
#include "mm/see.h"
    text_printf(t, "nr_free_pages %u\nnr_inactive_anon 0\nnr_active_anon %u\n", m.free, m.anon);
#include "mm/see.h"
    text_printf(t, "nr_inactive_file 0\nnr_active_file %u\nnr_unevictable 0\nnr_mlock 0\n",
#include "mm/see.h"
                m.cached);
#include "mm/see.h"
    text_printf(t, "nr_slab_reclaimable 0\nnr_slab_unreclaimable %u\n", m.slab);
#include "mm/see.h"
    text_printf(t, "nr_anon_pages %u\nnr_mapped %u\nnr_file_pages %u\nnr_dirty 0\n", m.anon,
#include "mm/see.h"
                c.mapped_file, m.cached);
#include "mm/see.h"
    text_printf(t, "nr_writeback 0\nnr_shmem %u\nnr_page_table_pages %u\n",
#include "mm/see.h"
                shared < m.cached ? shared : m.cached, m.tables);
#include "mm/see.h"
    text_printf(t, "nr_kernel_stack %u\n", proc_count_threads() * (KSTACK_SIZE / 1024));
#include "mm/see.h"
    text_printf(t, "pgpgin 0\npgpgout 0\npswpin 0\npswpout 0\n");
#include "mm/see.h"
    text_printf(t, "pgfault %llu\npgmajfault %llu\n",
#include "mm/see.h"
                (unsigned long long)(m.minor_faults + m.major_faults),
#include "mm/see.h"
                (unsigned long long)m.major_faults);
#include "mm/see.h"
    text_printf(t, "oom_kill %u\n", oom_kills);
#include "mm/see.h"
    return 0;
#include "mm/see.h"
}
#include "mm/see.h"

#include "mm/see.h"
int show_slabinfo(struct text *t, const struct target *who)
#include "mm/see.h"
{
#include "mm/see.h"
    struct kmalloc_stats k;
#include "mm/see.h"

#include "mm/see.h"
    (void)who;
#include "mm/see.h"
    text_printf(t, "slabinfo - version: 2.1\n");
#include "mm/see.h"
    text_printf(t, "# name            <active_objs> <num_objs> <objsize> <objperslab> "
#include "mm/see.h"
                   "<pagesperslab> : tunables <limit> <batchcount> <sharedfactor> : slabdata "
#include "mm/see.h"
                   "<active_slabs> <num_slabs> <sharedavail>\n");
#include "mm/see.h"
    for (unsigned c = 0; kmalloc_stats(c, &k); c++)
#include "mm/see.h"
        text_printf(t,
#include "mm/see.h"
                    "kmalloc-%-9u %6u %6u %6u %4u %4u : tunables %4u %4u %4u : slabdata %6u %6u "
#include "mm/see.h"
                    "%6u\n",
#include "mm/see.h"
                    k.size, k.used, k.objects, k.size, PAGE_SIZE / k.size, 1, 0, 0, 0, k.frames,
#include "mm/see.h"
                    k.frames, 0);
#include "mm/see.h"
    return 0;
#include "mm/see.h"
}
#include "mm/see.h"

#include "mm/see.h"
/* Frames are single: all that are free are of order 0. */
#include "mm/see.h"
int show_buddyinfo(struct text *t, const struct target *who)
#include "mm/see.h"
{
#include "mm/see.h"
    struct mem_stats m;
#include "mm/see.h"

#include "mm/see.h"
    (void)who;
#include "mm/see.h"
    mm_stats(&m);
#include "mm/see.h"
    text_printf(t, "Node 0, zone   Normal %6u ", m.free);
#include "mm/see.h"
    for (unsigned order = 1; order < ORDERS; order++)
#include "mm/see.h"
        text_printf(t, "%6u ", 0);
#include "mm/see.h"
    text_write(t, "\n", 1);
#include "mm/see.h"
    return 0;
#include "mm/see.h"
}
#include "mm/see.h"
