/*
 * Small kernel objects, cut from single frames.
 *
 * Each size class has a chain of the frames that have room. A frame's struct frame tells its first
 * free object and how many are out; the free objects are linked through their first two bytes by
 * offset. A frame whose last object comes back returns to the frame allocator, except the only one
 * in its chain, so that a loop of one allocation does not fetch a frame each time.
 *
 * Sizes above the largest class take a whole frame (kind KERNEL, as from kalloc).
 */
#include "arch/processors.h"
#include "libc/string.h"
#include "mm/mm.h"
#include "mm/percpu/pool.h"

#define SLAB_NONE 0xffffu
#define SLAB_MAX  2048u
#define GRAIN     8u
#define SLAB_JUNK 0xa7

static const uint16_t class_size[] = {8,   16,  32,  48,  64,   96,      128,
                                      192, 264, 384, 512, 1024, SLAB_MAX};
#define CLASSES (sizeof(class_size) / sizeof(class_size[0]))

static struct spinlock slab_lock = SPINLOCK_INIT("slab", LOCK_RANK_SLAB);
static pfn_t with_room[CLASSES];               /* [slab_lock] head of each class's chain */
static uint32_t class_frames[CLASSES];         /* [slab_lock] */
static uint32_t class_used[CLASSES];           /* [slab_lock] objects that are out */
static uint8_t class_of[SLAB_MAX / GRAIN + 1]; /* by size in grains */

void kmalloc_init(void)
{
    unsigned c = 0;

    memset(with_room, 0, sizeof(with_room));
    memset(class_frames, 0, sizeof(class_frames));
    memset(class_used, 0, sizeof(class_used));
    for (unsigned g = 0; g <= SLAB_MAX / GRAIN; g++) {
        while (class_size[c] < g * GRAIN)
            c++;
        class_of[g] = (uint8_t)c;
    }
}

static void chain_push(struct frame *f, unsigned c)
{
    f->chain.prev = 0;
    f->chain.next = with_room[c];
    if (with_room[c])
        frames[with_room[c]].chain.prev = frame_number(f);
    with_room[c] = frame_number(f);
}

static void chain_drop(struct frame *f, unsigned c)
{
    if (f->chain.prev)
        frames[f->chain.prev].chain.next = f->chain.next;
    else
        with_room[c] = f->chain.next;
    if (f->chain.next)
        frames[f->chain.next].chain.prev = f->chain.prev;
}

/* A frame's class is kept in pins, which slabs have no other use for. */
static __attribute__((noinline)) struct frame *slab_new(unsigned c)
{
    struct frame *f = frame_alloc(FRAME_SLAB);
    uint8_t *page;
    unsigned last;

    if (!f)
        return NULL;
    page = frame_kva(f);
    last = (PAGE_SIZE / class_size[c] - 1) * class_size[c];
    for (unsigned at = 0; at < last; at += class_size[c])
        *(uint16_t *)(page + at) = (uint16_t)(at + class_size[c]);
    *(uint16_t *)(page + last) = SLAB_NONE;
    f->pins = (uint16_t)c;
    f->slab.free = 0;
    f->slab.used = 0;
    class_frames[c]++;
    chain_push(f, c);
    return f;
}

static void *slab_take(unsigned c)
{
    struct frame *f = with_room[c] ? &frames[with_room[c]] : slab_new(c);
    uint8_t *object;

    if (!f)
        return NULL;
    DEBUG_ASSERT(f->slab.free < PAGE_SIZE && f->slab.free % class_size[c] == 0);
    object = (uint8_t *)frame_kva(f) + f->slab.free;
    f->slab.free = *(uint16_t *)object;
    f->slab.used++;
    class_used[c]++;
    if (f->slab.free == SLAB_NONE)
        chain_drop(f, c);
    return object;
}

void *kmalloc(size_t size)
{
    void *object;

    KASSERT(size > 0 && size <= PAGE_SIZE);
    if (size > SLAB_MAX)
        return kalloc();
    if (__builtin_expect(mm_may_fail, 0) && mm_injected_failure())
        return NULL;
    spin_lock(&slab_lock);
    object = slab_take(class_of[(size + GRAIN - 1) / GRAIN]);
    spin_unlock(&slab_lock);
    return object;
}

void *kzalloc(size_t size)
{
    void *object = kmalloc(size);

    if (object)
        memset(object, 0, size);
    return object;
}

/* Debug builds: the object is a real one, and not already free. */
static void check_object(const struct frame *f, const uint8_t *object)
{
#ifdef CONFIG_DEBUG
    const uint8_t *page = frame_kva(f);

    KASSERT((unsigned)(object - page) % class_size[f->pins] == 0);
    for (uint16_t at = f->slab.free; at != SLAB_NONE; at = *(const uint16_t *)(page + at))
        KASSERT(page + at != object);
#else
    (void)f;
    (void)object;
#endif
}

static void slab_put(struct frame *f, uint8_t *object)
{
    unsigned c = f->pins;

    check_object(f, object);
#ifdef CONFIG_DEBUG
    memset(object, SLAB_JUNK, class_size[c]);
#endif
    if (f->slab.free == SLAB_NONE)
        chain_push(f, c);
    *(uint16_t *)object = f->slab.free;
    f->slab.free = (uint16_t)(object - (uint8_t *)frame_kva(f));
    class_used[c]--;
    if (--f->slab.used == 0 && (f->chain.next || f->chain.prev)) {
        chain_drop(f, c);
        class_frames[c]--;
        f->pins = 0;
        frame_free(f);
    }
}

void kmfree(void *p)
{
    struct frame *f;

    if (!p)
        return;
    f = frame_of(p);
    if (f->kind == FRAME_KERNEL) {
        kfree(p);
        return;
    }
    spin_lock(&slab_lock);
    KASSERT(f->kind == FRAME_SLAB && f->slab.used != 0);
    slab_put(f, p);
    spin_unlock(&slab_lock);
}

/* ---- What is at hand ---- */

void pools_empty(void)
{
    for (unsigned i = 0; i < cpus_online * POOLS; i++) {
        struct cpu_pool *p = &cpu_get(i / POOLS)->pools[i % POOLS];

        while (p->head) {
            void *object = p->head;
            p->head = *(void **)object;
            kmfree(object);
        }
        p->count = 0;
    }
}

/* ---- Figures ---- */

bool kmalloc_stats(unsigned c, struct kmalloc_stats *out)
{
    if (c >= CLASSES)
        return false;
    *out = (struct kmalloc_stats){.size = class_size[c]};
    spin_lock(&slab_lock);
    out->frames = class_frames[c];
    out->used = class_used[c];
    spin_unlock(&slab_lock);
    out->objects = out->frames * (PAGE_SIZE / class_size[c]);
    return true;
}
