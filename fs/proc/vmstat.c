/*
 * /proc/vmstat, slabinfo and buddyinfo: counts of frames and events, in Linux's formats.
 */
#include "arch/thread.h"
#include "fs/block/block.h"
#include "fs/proc/procfs.h"
#include "fs/ram/ramfs.h"
#include "mm/dirty.h"
#include "mm/see.h"
#include "mm/swap.h"

#define ORDERS 11 /* columns of buddyinfo */

static void show_events(struct text *t, const struct vm_events *e, uint64_t minor, uint64_t major)
{
    const struct {
        const char *name;
        uint64_t value;
    } row[] = {{"pswpin", e->pswpin},
               {"pswpout", e->pswpout},
               {"allocstall_dma", 0},
               {"allocstall_normal", e->allocstall},
               {"allocstall_movable", 0},
               {"pgactivate", e->pgactivate},
               {"pgdeactivate", e->pgdeactivate},
               {"pgfault", minor + major},
               {"pgmajfault", major},
               {"pgsteal_kswapd", e->pgsteal_kswapd},
               {"pgsteal_direct", e->pgsteal_direct},
               {"pgscan_kswapd", e->pgscan_kswapd},
               {"pgscan_direct", e->pgscan_direct},
               {"pgscan_anon", e->pgscan_anon},
               {"pgscan_file", e->pgscan_file},
               {"pgsteal_anon", e->pgsteal_anon},
               {"pgsteal_file", e->pgsteal_file},
               {"pageoutrun", e->pageoutrun},
               {"pglazyfreed", e->pglazyfreed},
               {"oom_kill", oom_kills}};

    for (unsigned i = 0; i < sizeof(row) / sizeof(*row); i++)
        text_printf(t, "%s %llu\n", row[i].name, (unsigned long long)row[i].value);
}

int show_vmstat(struct text *t, const struct target *who)
{
    struct mem_stats m;
    struct frame_census c;
    struct vm_events e;
    struct vm_dirty_stats d;
    struct vm_swap_stats swap;
    uint64_t in, out;
    uint32_t shared;

    (void)who;
    mm_stats(&m);
    vm_events(&e);
    vm_dirty_stats(&d);
    vm_swap_stats(&swap);
    vm_frame_census(&c);
    shared = m.cached_shmem + ramfs_total_pages();
    text_printf(t, "nr_free_pages %u\nnr_inactive_anon %u\nnr_active_anon %u\n", m.free,
                c.inactive_anon, c.active_anon);
    text_printf(t, "nr_inactive_file %u\nnr_active_file %u\nnr_unevictable %u\nnr_mlock %u\n",
                c.inactive_file, c.active_file, c.locked + c.kept, c.locked);
    text_printf(t, "nr_slab_reclaimable 0\nnr_slab_unreclaimable %u\n", m.slab);
    text_printf(t, "nr_anon_pages %u\nnr_mapped %u\nnr_file_pages %u\nnr_dirty %u\n", m.anon,
                c.mapped_file, m.cached, d.dirty);
    text_printf(t, "nr_writeback %u\nnr_shmem %u\nnr_page_table_pages %u\n", d.writing,
                shared < m.cached ? shared : m.cached, m.tables);
    text_printf(t, "nr_dirtied %llu\nnr_written %llu\n", (unsigned long long)d.dirtied,
                (unsigned long long)d.written);
    text_printf(t, "nr_dirty_threshold %u\nnr_dirty_background_threshold %u\n", d.limit,
                d.background);
    text_printf(t, "nr_kernel_stack %u\n", proc_count_threads() * (KSTACK_SIZE / 1024));
    text_printf(t, "nr_swapcached %u\n", swap.cached);
    text_printf(t, "workingset_refault_anon %llu\nworkingset_refault_file %llu\n",
                (unsigned long long)e.workingset_refault_anon,
                (unsigned long long)e.workingset_refault_file);
    block_totals(&in, &out);
    text_printf(t, "pgpgin %llu\npgpgout %llu\n", (unsigned long long)in / 2,
                (unsigned long long)out / 2);
    show_events(t, &e, m.minor_faults, m.major_faults);
    return 0;
}

int show_slabinfo(struct text *t, const struct target *who)
{
    struct kmalloc_stats k;

    (void)who;
    text_printf(t, "slabinfo - version: 2.1\n");
    text_printf(t, "# name            <active_objs> <num_objs> <objsize> <objperslab> "
                   "<pagesperslab> : tunables <limit> <batchcount> <sharedfactor> : slabdata "
                   "<active_slabs> <num_slabs> <sharedavail>\n");
    for (unsigned c = 0; kmalloc_stats(c, &k); c++) {
        text_printf(t,
                    "kmalloc-%-9u %6u %6u %6u %4u %4u : tunables %4u %4u %4u : slabdata %6u %6u "
                    "%6u\n",
                    k.size, k.used, k.objects, k.size, PAGE_SIZE / k.size, 1, 0, 0, 0, k.frames,
                    k.frames, 0);
        sched_point();
    }
    return 0;
}

/* Frames are single: all that are free are of order 0. */
int show_buddyinfo(struct text *t, const struct target *who)
{
    struct mem_stats m;

    (void)who;
    mm_stats(&m);
    text_printf(t, "Node 0, zone   Normal %6u ", m.free);
    for (unsigned order = 1; order < ORDERS; order++)
        text_printf(t, "%6u ", 0);
    text_write(t, "\n", 1);
    return 0;
}
