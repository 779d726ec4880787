/*
 * Compressed memory as a swap device.
 *
 * A slot is a word: 0 for nothing; with bit 0, a struct same, for a page of one word over and over;
 * with bit 1, a frame that holds the page raw, because it does not compress; else the first of a
 * chain of small objects that hold its LZ4 block. Storing takes memory from the kernel's reserve,
 * but not the last of it; when that or the bound is reached the page is not taken, and stays where
 * it was.
 */
#include "libc/errno.h"
#include "libc/string.h"
#include "mm/reclaim/lz4.h"
#include "mm/reclaim/reclaim.h"

#define PIECE       264u /* a class of kmalloc, 15 to a frame */
#define PIECE_BYTES (PIECE - sizeof(void *))
#define PACKED_MAX  (PAGE_SIZE / 4 * 3) /* what compresses to more is kept raw */
#define SAME        1u
#define RAW         2u
#define TAGS        3u
#define PER_CHUNK   (PAGE_SIZE / sizeof(uintptr_t))

struct piece {
    struct piece *next;
    uint8_t data[PIECE_BYTES];
};

/* A page that is one word over and over. */
struct same {
    uint32_t word;
};

struct zram {
    struct swap_device device;
    uint32_t slots, max;
    uintptr_t **table; /* [zram_lock] by chunks of a frame */
    struct zram_stats stats;
};

/* One page at a time: the scratch memory is shared. [zram_lock] */
static struct spinlock zram_lock = SPINLOCK_INIT("zram", LOCK_RANK_ZRAM);
static uint16_t places[LZ4_TABLE];
static uint8_t packed[PAGE_SIZE];

static uintptr_t *entry_of(const struct zram *z, uint32_t slot)
{
    return &z->table[slot / PER_CHUNK][slot % PER_CHUNK];
}

/* ---- Storing ---- */

static void free_pieces(struct zram *z, struct piece *p)
{
    while (p) {
        struct piece *next = p->next;
        kmfree(p);
        z->stats.used -= PIECE;
        p = next;
    }
}

/* n bytes of packed, in pieces; 0: no memory. */
static uintptr_t store_packed(struct zram *z, unsigned n)
{
    struct piece *first = NULL, **link = &first;

    for (unsigned at = 0; at < n; at += PIECE_BYTES) {
        unsigned part = n - at < PIECE_BYTES ? n - at : PIECE_BYTES;
        struct piece *p = z->stats.used + PIECE <= z->max ? kmalloc(sizeof(*p)) : NULL;

        if (!p) {
            free_pieces(z, first);
            return 0;
        }
        p->next = NULL;
        memcpy(p->data, packed + at, part);
        z->stats.used += PIECE;
        *link = p;
        link = &p->next;
    }
    return (uintptr_t)first;
}

static uintptr_t store_raw(struct zram *z, const void *page)
{
    void *copy = z->stats.used + PAGE_SIZE <= z->max ? kalloc() : NULL;

    if (!copy)
        return 0;
    page_copy(copy, page);
    z->stats.used += PAGE_SIZE;
    z->stats.huge++;
    return (uintptr_t)copy | RAW;
}

static bool is_same(const uint32_t *page)
{
    for (unsigned i = 1; i < PAGE_SIZE / 4; i++) {
        if (page[i] != page[0])
            return false;
    }
    return true;
}

static uintptr_t store_same(struct zram *z, uint32_t word)
{
    struct same *s = kmalloc(sizeof(*s));

    if (!s)
        return 0;
    s->word = word;
    z->stats.same++;
    z->stats.used += sizeof(*s);
    return (uintptr_t)s | SAME;
}

static uintptr_t store(struct zram *z, const void *page)
{
    uintptr_t entry;
    unsigned n;

    if (is_same(page))
        return store_same(z, *(const uint32_t *)page);
    if (frame_scarce())
        return 0;
    n = lz4_encode(page, packed + 2, PACKED_MAX, places);
    if (n == 0)
        return store_raw(z, page);
    packed[0] = (uint8_t)n;
    packed[1] = (uint8_t)(n >> 8);
    entry = store_packed(z, n + 2);
    z->stats.compressed += entry ? n : 0;
    return entry;
}

/* ---- Fetching, forgetting ---- */

/* Puts the pieces of a page together in packed; how long its block is. */
static unsigned gather_pieces(const struct piece *p)
{
    unsigned at = 0;

    for (; p && at + PIECE_BYTES <= sizeof(packed); p = p->next, at += PIECE_BYTES)
        memcpy(packed + at, p->data, PIECE_BYTES);
    return packed[0] | (unsigned)packed[1] << 8;
}

static int fetch(uintptr_t entry, void *page)
{
    void *p = (void *)(entry & ~(uintptr_t)TAGS);

    if (!entry)
        return -EIO;
    if (entry & RAW) {
        page_copy(page, p);
        return 0;
    }
    if (entry & SAME) {
        for (unsigned i = 0; i < PAGE_SIZE / 4; i++)
            ((uint32_t *)page)[i] = ((struct same *)p)->word;
        return 0;
    }
    return lz4_decode(packed + 2, gather_pieces(p), page, PAGE_SIZE) ? -EIO : 0;
}

static void drop(struct zram *z, uintptr_t entry)
{
    void *p = (void *)(entry & ~(uintptr_t)TAGS);

    if (!entry)
        return;
    z->stats.pages--;
    if (entry & RAW) {
        kfree(p);
        z->stats.used -= PAGE_SIZE;
        z->stats.huge--;
    } else if (entry & SAME) {
        kmfree(p);
        z->stats.used -= sizeof(struct same);
        z->stats.same--;
    } else {
        z->stats.compressed -= ((struct piece *)p)->data[0] | ((struct piece *)p)->data[1] << 8;
        free_pieces(z, p);
    }
}

/* ---- The device ---- */

static int zram_read(struct swap_device *d, uint32_t slot, unsigned n, void *const *pages)
{
    struct zram *z = d->private;
    int err = 0;

    for (unsigned i = 0; i < n && !err; i++) {
        spin_lock(&zram_lock);
        err = fetch(*entry_of(z, slot + i), pages[i]);
        spin_unlock(&zram_lock);
    }
    return err;
}

static int zram_write(struct swap_device *d, uint32_t slot, unsigned n, void *const *pages)
{
    struct zram *z = d->private;
    unsigned i;

    for (i = 0; i < n; i++) {
        uintptr_t entry;

        spin_lock(&zram_lock);
        drop(z, *entry_of(z, slot + i));
        entry = store(z, pages[i]);
        *entry_of(z, slot + i) = entry;
        z->stats.pages += entry != 0;
        spin_unlock(&zram_lock);
        if (!entry)
            break;
    }
    return i ? (int)i : -ENOSPC;
}

static void zram_forget(struct swap_device *d, uint32_t slot)
{
    struct zram *z = d->private;

    spin_lock(&zram_lock);
    drop(z, *entry_of(z, slot));
    *entry_of(z, slot) = 0;
    spin_unlock(&zram_lock);
}

void zram_destroy(struct swap_device *d)
{
    struct zram *z = d->private;

    for (uint32_t i = 0; z->table && i <= (z->slots - 1) / PER_CHUNK; i++) {
        if (z->table[i])
            kfree(z->table[i]);
    }
    kmfree(z->table);
    kmfree(z);
}

struct swap_device *zram_create(uint32_t slots, uint32_t max_bytes)
{
    uint32_t chunks = (slots + PER_CHUNK - 1) / PER_CHUNK;
    struct zram *z = chunks && chunks <= PER_CHUNK ? kzalloc(sizeof(*z)) : NULL;

    if (!z)
        return NULL;
    *z = (struct zram){.slots = slots, .max = max_bytes ? max_bytes : UINT32_MAX};
    z->device =
        (struct swap_device){zram_read, zram_write, zram_forget, z, "/dev/zram0", "partition"};
    z->table = kzalloc(chunks * sizeof(*z->table));
    for (uint32_t i = 0; z->table && i < chunks; i++) {
        z->table[i] = kalloc_zeroed();
        if (!z->table[i])
            break;
        z->stats.used += PAGE_SIZE;
    }
    if (z->table && z->table[chunks - 1])
        return &z->device;
    zram_destroy(&z->device);
    return NULL;
}

void zram_stats(const struct swap_device *d, struct zram_stats *out)
{
    spin_lock(&zram_lock);
    *out = ((const struct zram *)d->private)->stats;
    spin_unlock(&zram_lock);
}
