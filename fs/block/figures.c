/* /proc/partitions and /proc/diskstats. */
#include "fs/block/file.h"
#include "fs/block/internal.h"

#define NS_PER_MS 1000000u

/* A disk without a medium is in neither. */
static bool is_shown(const struct block_device *dev)
{
    return dev->sectors != 0;
}

void block_show_partitions(struct text *t)
{
    text_printf(t, "major minor  #blocks  name\n\n");
    for (struct block_device *dev = device_next(NULL); dev; dev = device_next(dev))
        if (is_shown(dev))
            text_printf(t, "%4u  %7u %10llu %s\n", DEV_MAJOR(dev->number), DEV_MINOR(dev->number),
                        (unsigned long long)dev->sectors >> 1, dev->name);
}

static unsigned long long ms(uint64_t ns)
{
    return ns / NS_PER_MS;
}

/* [linux/Documentation/admin-guide/iostats.rst]; discards are always 0. */
void block_stats_text(struct text *t, struct block_device *dev)
{
    struct block_stats s;

    queue_stats(dev, &s);
    for (unsigned op = BLOCK_READ; op <= BLOCK_WRITE; op++)
        text_printf(t, "%llu %llu %llu %llu ", (unsigned long long)s.ios[op],
                    (unsigned long long)s.merges[op], (unsigned long long)s.sectors[op],
                    ms(s.ns[op]));
    text_printf(t, "%u %llu %llu 0 0 0 0 %llu %llu\n", s.in_flight, ms(s.busy_ns),
                ms(s.weighted_ns), (unsigned long long)s.ios[BLOCK_FLUSH], ms(s.ns[BLOCK_FLUSH]));
}

void block_show_diskstats(struct text *t)
{
    for (struct block_device *dev = device_next(NULL); dev; dev = device_next(dev)) {
        if (!is_shown(dev))
            continue;
        text_printf(t, "%4u %7u %s ", DEV_MAJOR(dev->number), DEV_MINOR(dev->number), dev->name);
        block_stats_text(t, dev);
    }
}

void block_totals(uint64_t *read, uint64_t *written)
{
    struct block_stats s;

    *read = *written = 0;
    for (struct block_device *dev = device_next(NULL); dev; dev = device_next(dev)) {
        if (dev->disk != dev)
            continue;
        queue_stats(dev, &s);
        *read += s.sectors[BLOCK_READ];
        *written += s.sectors[BLOCK_WRITE];
    }
}
