/*
 * Bytes that lie in one piece or in frames; see fs/archive/archive.h.
 */
#include "fs/archive/archive.h"
#include "arch/mmu.h"
#include "libc/string.h"
#include "mm/vm.h"

#define LEAF_SHIFT   (PAGE_SHIFT + 10) /* bytes that one frame of pointers reaches */
#define LEAF_ENTRIES (PAGE_SIZE / sizeof(uint32_t))

const uint8_t *archive_frame(const struct archive *a, uint32_t offset)
{
    return a->leaves[offset >> LEAF_SHIFT][(offset >> PAGE_SHIFT) % LEAF_ENTRIES];
}

void archive_copy(const struct archive *a, uint32_t offset, void *dst, uint32_t n)
{
    uint8_t *to = dst;

    if (a->base) {
        memcpy(to, a->base + offset, n);
        return;
    }
    while (n > 0) {
        uint32_t in_frame = offset % PAGE_SIZE;
        uint32_t run = PAGE_SIZE - in_frame < n ? PAGE_SIZE - in_frame : n;

        memcpy(to, archive_frame(a, offset) + in_frame, run);
        to += run;
        offset += run;
        n -= run;
    }
}

const uint8_t *archive_view_pieces(const struct archive *a, uint32_t offset, uint32_t n,
                                   void *scratch)
{
    if (n <= PAGE_SIZE - offset % PAGE_SIZE)
        return archive_frame(a, offset) + offset % PAGE_SIZE;
    archive_copy(a, offset, scratch, n);
    return scratch;
}

/* Frames are added in order, so the last one is where size rounds up to. */
uint8_t *archive_grow(struct archive *a)
{
    uint32_t offset = (a->size + PAGE_SIZE - 1) & PAGE_MASK;
    uint8_t *frame;

    if (a->size > UINT32_MAX - 2 * PAGE_SIZE)
        return NULL;
    if (!a->leaves && !(a->leaves = kalloc_zeroed()))
        return NULL;
    if (!a->leaves[offset >> LEAF_SHIFT] && !(a->leaves[offset >> LEAF_SHIFT] = kalloc_zeroed()))
        return NULL;
    frame = kalloc();
    a->leaves[offset >> LEAF_SHIFT][(offset >> PAGE_SHIFT) % LEAF_ENTRIES] = frame;
    return frame;
}

static void leaf_free(uint8_t **leaf)
{
    for (uint32_t i = 0; i < LEAF_ENTRIES && leaf[i]; i++)
        kfree(leaf[i]);
    kfree(leaf);
}

void archive_free(struct archive *a)
{
    if (!a->leaves)
        return;
    for (uint32_t i = 0; i < LEAF_ENTRIES && a->leaves[i]; i++)
        leaf_free(a->leaves[i]);
    kfree(a->leaves);
    a->leaves = NULL;
    a->size = 0;
}
