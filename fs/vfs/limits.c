/*
 * How many of its objects the file layer makes: the settings of /proc/sys/fs. What Linux derives
 * from memory is derived here, and so is what it fixes for machines with more of it.
 */
#include "fs/vfs/limits.h"
#include "fs/vfs/vfs.h"

#define FILES_LEAST   1024u
#define MOUNTS_LEAST  64u
#define PIPES_MOST    16384u /* Linux's soft limit */
#define PIPE_BYTES    (1u << 20)
#define MOUNTS_MOST   100000u
#define WATCH_COST    160u /* bytes */
#define INOTIFY_COST  256u /* the watch and its inode */
#define WATCHES_LEAST 1024u
#define LOCK_COST     64u

struct fs_limits fs_limits;
struct fs_rules fs_rules = {1, 1, 1, 0, 0};

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static uint32_t most(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

void fs_limits_init(void)
{
    uint32_t pages = vm_total_frames();

    fs_limits = (struct fs_limits){
        .files = most(pages * (PAGE_SIZE / 1024) / 10, FILES_LEAST),
        .pipe_pages_soft = least(PIPES_MOST, pages / 8),
        .pipe_bytes = PIPE_BYTES,
        .user_watches = pages / 25 * (PAGE_SIZE / WATCH_COST),
        .inotify_events = 16384,
        .inotify_groups = 128,
        .inotify_watches = most(pages / 100 * (PAGE_SIZE / INOTIFY_COST), WATCHES_LEAST),
        .mounts = least(MOUNTS_MOST, most(pages / 16, MOUNTS_LEAST)),
        .nr_open = 1u << 20,
        .aio_requests = 65536,
        .locks = pages / 25 * (PAGE_SIZE / LOCK_COST),
    };
}
