/*
 * How much a space may hold: its limits (man 2 getrlimit), and overcommit, how much private
 * writable memory may be promised beyond what there is. man 5 proc, /proc/sys/vm/overcommit_memory.
 */
#include "libc/errno.h"
#include "mm/beside/beside.h"

/* [v] the settings; mode 0 refuses only what could never be, 1 nothing, 2 what passes the limit. */
static struct vm_overcommit settings = {.mode = VM_OVERCOMMIT_GUESS, .ratio = 50};

static uint32_t limit_pages(void)
{
    if (settings.kbytes)
        return settings.kbytes / (PAGE_SIZE / 1024);
    return (uint32_t)((uint64_t)frame_total() * settings.ratio / 100) + swap_total();
}

/* What is promised once may be promised again, unless promises are kept. */
bool commit_allows_copy(uint32_t pages)
{
    return settings.mode != VM_OVERCOMMIT_NEVER || commit_allows(pages, 0);
}

uint16_t commit_flags(uint16_t flags)
{
    return settings.mode == VM_OVERCOMMIT_NEVER ? flags & ~VM_NORESERVE : flags;
}

bool commit_is_kept(void)
{
    return settings.mode == VM_OVERCOMMIT_NEVER;
}

bool commit_allows(uint32_t pages, uint16_t flags)
{
    if (flags & VM_NORESERVE)
        return true;
    switch (settings.mode) {
    case VM_OVERCOMMIT_ALWAYS:
        return true;
    case VM_OVERCOMMIT_NEVER:
        return committed_pages + pages <= limit_pages();
    default:
        return pages <= frame_total() + swap_total();
    }
}

/* ---- What areas claim ---- */

void claims_add(struct claims *c, const struct vma *v)
{
    const uint32_t pages = vma_pages(v);

    c->pages += pages;
    c->data += vma_is_data(v) ? pages : 0;
    c->promised += vma_is_promised(v) ? pages : 0;
}

void claims_take(struct claims *c, const struct vma *v)
{
    struct claims part = {0};

    claims_add(&part, v);
    c->pages -= part.pages;
    c->data -= part.data;
    c->promised -= part.promised;
}

/* Only what grows can be too much. */
static bool exceeds(uint32_t now, int32_t gain, uint32_t limit)
{
    return gain > 0 && (uint64_t)now + (uint32_t)gain > limit;
}

bool claims_allowed(const struct vm_space *s, const struct claims *gain)
{
    return !exceeds(s->pages, gain->pages, s->limits.as >> PAGE_SHIFT) &&
           !exceeds(s->data_pages, gain->data, s->limits.data >> PAGE_SHIFT) &&
           (gain->promised <= 0 || commit_allows((uint32_t)gain->promised, 0));
}

/* What a fixed mapping of [start, end) would replace. */
static void take_range(struct vm_space *s, vaddr_t start, vaddr_t end, struct claims *c)
{
    for (struct vma *v = vma_find(s, start); v && v->start < end; v = vma_next(s, v)) {
        struct vma part;

        vma_copy(&part, v);
        part.start = v->start > start ? v->start : start;
        part.end = v->end < end ? v->end : end;
        claims_take(c, &part);
    }
}

int check_limits(struct vm_space *s, const struct vma *v)
{
    struct claims gain = {0};

    claims_add(&gain, v);
    take_range(s, v->start, v->end, &gain);
    gain.data = vma_is_data(v) ? gain.pages : 0; /* Linux: whatever is replaced makes room */
    return claims_allowed(s, &gain) ? 0 : -ENOMEM;
}

bool vm_object_promise(struct vm_object *o)
{
    uint32_t pages = (uint32_t)((o->size + PAGE_SIZE - 1) >> PAGE_SHIFT);
    bool allowed;

    spin_lock(&vm_lock);
    allowed = commit_allows(pages, 0);
    if (allowed) {
        o->promised = pages;
        committed_pages += pages;
    }
    spin_unlock(&vm_lock);
    return allowed;
}

void vm_overcommit_get(struct vm_overcommit *out)
{
    spin_lock(&vm_lock);
    settings.committed = committed_pages;
    settings.limit = limit_pages();
    *out = settings;
    spin_unlock(&vm_lock);
}

int vm_overcommit_set(const struct vm_overcommit *wanted)
{
    if (wanted->mode > VM_OVERCOMMIT_NEVER)
        return -EINVAL;
    spin_lock(&vm_lock);
    settings = *wanted;
    spin_unlock(&vm_lock);
    return 0;
}
