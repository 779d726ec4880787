/*
 * How much a space may hold: its limits (man 2 getrlimit), and overcommit, how much private
 * writable memory may be promised beyond what there is. man 5 proc, /proc/sys/vm/overcommit_memory.
 */
#include "libc/errno.h"
#include "mm/mm.h"

/* [v] the settings; mode 0 refuses only what could never be, 1 nothing, 2 what passes the limit. */
static struct vm_overcommit settings = {.mode = VM_OVERCOMMIT_GUESS, .ratio = 50};

static uint32_t limit_pages(void)
{
    if (settings.kbytes)
        return settings.kbytes / (PAGE_SIZE / 1024);
    return (uint32_t)((uint64_t)frame_total() * settings.ratio / 100);
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
        return pages <= frame_total();
    }
}

/* Pages of [addr, addr+len) that areas cover: what a fixed mapping there would replace. */
static uint32_t pages_in(struct vm_space *s, vaddr_t addr, uint32_t len)
{
    uint32_t pages = 0;

    for (struct vma *v = vma_find(s, addr); v && v->start < addr + len; v = vma_next(s, v)) {
        vaddr_t from = v->start > addr ? v->start : addr;
        vaddr_t to = v->end < addr + len ? v->end : addr + len;
        pages += (to - from) >> PAGE_SHIFT;
    }
    return pages;
}

int check_limits(struct vm_space *s, const struct vma *v)
{
    uint32_t pages = vma_pages(v), replaced = pages_in(s, v->start, v->end - v->start);

    if (s->pages - replaced + pages > s->limits.as >> PAGE_SHIFT)
        return -ENOMEM;
    if (vma_is_data(v) && s->data_pages + pages > s->limits.data >> PAGE_SHIFT)
        return -ENOMEM;
    if ((v->prot & VM_PROT_WRITE) && vma_is_private(v) && !commit_allows(pages, v->flags))
        return -ENOMEM;
    return 0;
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
