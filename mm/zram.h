/*
 * Compressed memory: pages by index, each as small as it goes. Behind /dev/zram0.
 *
 * Any context but an interrupt; nothing sleeps, but for zram_destroy().
 */
#ifndef MM_ZRAM_H
#define MM_ZRAM_H

#include <stdint.h>

#define ZRAM_PAGES_MAX 0x00100000u /* 4 GiB of contents */

struct zram;

struct zram *zram_create(uint32_t pages); /* NULL: no memory, or too many */
void zram_destroy(struct zram *z);        /* with all that is in it */
/* What is in it takes so many bytes of RAM at most; 0: no bound but the kernel's reserve. */
void zram_set_limit(struct zram *z, uint32_t bytes);

/* index is below the number of pages. Reading what was never written gives zeros. -EIO: damaged */
int zram_read(struct zram *z, uint32_t index, void *page);
/* -ENOSPC: the bound is reached, or memory is short; the page's old contents are gone. */
int zram_write(struct zram *z, uint32_t index, const void *page);
void zram_forget(struct zram *z, uint32_t index);

struct zram_stats {
    uint32_t pages;      /* stored */
    uint32_t same;       /* of these: one word repeated, which takes no memory to speak of */
    uint32_t huge;       /* of these: raw, since they do not compress */
    uint64_t compressed; /* bytes of contents as stored */
    uint32_t used, peak; /* bytes of RAM in all, the table included */
    uint32_t limit;
    uint64_t failed_reads, failed_writes;
};
void zram_stats(struct zram *z, struct zram_stats *out);
void zram_reset_peak(struct zram *z);

#endif
