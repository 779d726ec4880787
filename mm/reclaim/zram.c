/*
 * Compressed memory: see mm/zram.h.
 *
 * A page is a word of the table: 0 for nothing; with bit 0, a struct same, for a page of one word
 * over and over; with bit 1, a frame that holds the page raw, because it does not compress; else
 * the first of a chain of small objects that hold its LZ4 block. The table grows with what is in
 * it. Storing takes memory from the kernel's reserve, but not the last of it; when that or the
 * bound is reached the page is not taken, and stays where it was.
 */
#include "libc/errno.h"
#include "libc/string.h"
#include "mm/mm.h"
#include "mm/port.h"
#include "mm/reclaim/lz4.h"
#include "mm/zram.h"

#define PIECE       264u /* a class of kmalloc, 15 to a frame */
#define PIECE_BYTES (PIECE - sizeof(void *))
#define PACKED_MAX  (PAGE_SIZE / 4 * 3) /* what compresses to more is kept raw */
#define SAME        1u
#define RAW         2u
#define TAGS        3u
#define PER_CHUNK   (PAGE_SIZE / sizeof(uintptr_t))

/* The last of a chain is no larger than it has to be. */
struct piece {
    struct piece *next;
    uint8_t data[];
};

/* A page that is one word over and over. */
struct same {
    uint32_t word;
};

struct zram {
    uint32_t pages;
    uintptr_t **table;       /* [zram_lock] by chunks of a frame; NULL: nothing was stored there */
    struct zram_stats stats; /* [zram_lock] */
};

/* One page at a time: the scratch memory is shared. [zram_lock] */
static struct spinlock zram_lock = SPINLOCK_INIT("zram", LOCK_RANK_ZRAM);
static uint16_t places[LZ4_TABLE];
static uint8_t packed[PAGE_SIZE];

static uintptr_t *entry_of(const struct zram *z, uint32_t index)
{
    uintptr_t *chunk = z->table[index / PER_CHUNK];

    return chunk ? &chunk[index % PER_CHUNK] : NULL;
}

/* Whether so many bytes more are allowed; counts them. */
static bool charge(struct zram *z, uint32_t bytes)
{
    struct zram_stats *st = &z->stats;

    if (st->limit && st->used + bytes > st->limit)
        return false;
    st->used += bytes;
    if (st->used > st->peak)
        st->peak = st->used;
    return true;
}

static void *charged(struct zram *z, uint32_t bytes, void *p)
{
    if (!p)
        z->stats.used -= bytes;
    return p;
}

/* The entry of a page, in a chunk that is made if need be. NULL: no memory. */
static uintptr_t *make_entry(struct zram *z, uint32_t index)
{
    uintptr_t **chunk = &z->table[index / PER_CHUNK];

    if (!*chunk && !frame_scarce() && charge(z, PAGE_SIZE))
        *chunk = charged(z, PAGE_SIZE, kalloc_zeroed());
    return entry_of(z, index);
}

/* ---- Storing ---- */

/* How many of so many bytes the next piece takes. */
static unsigned part_of(unsigned left)
{
    return left < PIECE_BYTES ? left : PIECE_BYTES;
}

/* The pieces of so many bytes. */
static void free_pieces(struct zram *z, struct piece *p, unsigned bytes)
{
    while (p) {
        struct piece *next = p->next;
        kmfree(p);
        z->stats.used -= (uint32_t)sizeof(*p) + part_of(bytes);
        bytes -= part_of(bytes);
        p = next;
    }
}

/* n bytes of packed, in pieces; 0: no memory. */
static uintptr_t store_packed(struct zram *z, unsigned n)
{
    struct piece *first = NULL, **link = &first;

    for (unsigned at = 0; at < n; at += PIECE_BYTES) {
        unsigned part = part_of(n - at);
        uint32_t size = (uint32_t)sizeof(struct piece) + part;
        struct piece *p = charge(z, size) ? charged(z, size, kmalloc(size)) : NULL;

        if (!p) {
            free_pieces(z, first, at);
            return 0;
        }
        p->next = NULL;
        memcpy(p->data, packed + at, part);
        *link = p;
        link = &p->next;
    }
    return (uintptr_t)first;
}

static uintptr_t store_raw(struct zram *z, const void *page)
{
    void *copy = charge(z, PAGE_SIZE) ? charged(z, PAGE_SIZE, kalloc()) : NULL;

    if (!copy)
        return 0;
    page_copy(copy, page);
    z->stats.huge++;
    z->stats.compressed += PAGE_SIZE;
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
    struct same *s = charge(z, sizeof(*s)) ? charged(z, sizeof(*s), kmalloc(sizeof(*s))) : NULL;

    if (!s)
        return 0;
    s->word = word;
    z->stats.same++;
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

/* How long the block of a page is, whose first two bytes say so. */
static unsigned block_length(const struct piece *first)
{
    return first->data[0] | (unsigned)first->data[1] << 8;
}

/* Puts the pieces of a page together in packed; how long its block is. */
static unsigned gather_pieces(const struct piece *p)
{
    unsigned n = block_length(p), end = n + 2, at = 0;

    for (; p && at < end; p = p->next, at += PIECE_BYTES)
        memcpy(packed + at, p->data, part_of(end - at));
    return n;
}

static int fetch(uintptr_t entry, void *page)
{
    void *p = (void *)(entry & ~(uintptr_t)TAGS);

    if (!entry) {
        page_zero(page);
        return 0;
    }
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
        z->stats.compressed -= PAGE_SIZE;
        z->stats.huge--;
    } else if (entry & SAME) {
        kmfree(p);
        z->stats.used -= sizeof(struct same);
        z->stats.same--;
    } else {
        unsigned n = block_length(p);

        z->stats.compressed -= n;
        free_pieces(z, p, n + 2);
    }
}

/* ---- The face ---- */

int zram_read(struct zram *z, uint32_t index, void *page)
{
    const uintptr_t *entry;
    int err;

    spin_lock(&zram_lock);
    entry = entry_of(z, index);
    err = fetch(entry ? *entry : 0, page);
    z->stats.failed_reads += err != 0;
    spin_unlock(&zram_lock);
    return err;
}

int zram_write(struct zram *z, uint32_t index, const void *page)
{
    uintptr_t *entry;
    bool stored = false;

    spin_lock(&zram_lock);
    entry = make_entry(z, index);
    if (entry) {
        drop(z, *entry);
        *entry = store(z, page);
        stored = *entry != 0;
    }
    z->stats.pages += stored;
    z->stats.failed_writes += !stored;
    spin_unlock(&zram_lock);
    return stored ? 0 : -ENOSPC;
}

void zram_forget(struct zram *z, uint32_t index)
{
    uintptr_t *entry;

    spin_lock(&zram_lock);
    entry = entry_of(z, index);
    if (entry) {
        drop(z, *entry);
        *entry = 0;
    }
    spin_unlock(&zram_lock);
}

static uint32_t chunks_of(uint32_t pages)
{
    return (pages + PER_CHUNK - 1) / PER_CHUNK;
}

void zram_destroy(struct zram *z)
{
    for (uint32_t i = 0; i < chunks_of(z->pages); i++) {
        for (uint32_t n = 0; n < PER_CHUNK && z->table[i]; n++)
            zram_forget(z, i * (uint32_t)PER_CHUNK + n);
        if (z->table[i])
            kfree(z->table[i]);
        port_yield();
    }
    kmfree(z->table);
    kmfree(z);
}

struct zram *zram_create(uint32_t pages)
{
    struct zram *z = pages && pages <= ZRAM_PAGES_MAX ? kzalloc(sizeof(*z)) : NULL;

    if (!z)
        return NULL;
    z->pages = pages;
    z->table = kzalloc(chunks_of(pages) * sizeof(*z->table));
    if (!z->table) {
        kmfree(z);
        return NULL;
    }
    return z;
}

void zram_set_limit(struct zram *z, uint32_t bytes)
{
    spin_lock(&zram_lock);
    z->stats.limit = bytes;
    spin_unlock(&zram_lock);
}

void zram_reset_peak(struct zram *z)
{
    spin_lock(&zram_lock);
    z->stats.peak = z->stats.used;
    spin_unlock(&zram_lock);
}

void zram_stats(struct zram *z, struct zram_stats *out)
{
    spin_lock(&zram_lock);
    *out = z->stats;
    spin_unlock(&zram_lock);
}
