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

bool commit_allows(uint32_t pages, uint16_t flags)
{
    switch (settings.mode) {
    case VM_OVERCOMMIT_ALWAYS:
        return true;
    case VM_OVERCOMMIT_NEVER:
        return committed_pages + pages <= limit_pages();
    default:
        return (flags & VM_NORESERVE) || pages <= frame_total();
    }
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
