/*
 * Overcommit: how much private writable memory may be promised beyond what there is. man 5 proc,
 * /proc/sys/vm/overcommit_memory.
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
