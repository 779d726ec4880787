/*
 * /proc/PID/pagemap, /proc/kpagecount and /proc/kpageflags: 64 bits for each page of a space or
 * each frame of memory, in Linux's format (its Documentation/admin-guide/mm/pagemap.rst); and as
 * text /proc/PID/pagedir and pagetable, the entries of both levels, and /proc/freelist.
 */
#include "arch/uaccess.h"
#include "fs/proc/procfs.h"
#include "libc/errno.h"
#include "libc/printf.h"
#include "mm/see.h"

#define BATCH 64u /* words made at a time */

#define PAGEMAP_EXCLUSIVE (1ull << 56)
#define PAGEMAP_FILE      (1ull << 61)
#define PAGEMAP_PRESENT   (1ull << 63)
#define PAGEMAP_SWAPPED   (1ull << 62)

#define KPF_LOCKED     (1ull << 0)
#define KPF_REFERENCED (1ull << 2)
#define KPF_UPTODATE   (1ull << 3)
#define KPF_DIRTY      (1ull << 4)
#define KPF_LRU        (1ull << 5)
#define KPF_SLAB       (1ull << 7)
#define KPF_WRITEBACK  (1ull << 8)
#define KPF_BUDDY      (1ull << 10)
#define KPF_MMAP       (1ull << 11)
#define KPF_ANON       (1ull << 12)
#define KPF_SWAPCACHE  (1ull << 13)
#define KPF_SWAPBACKED (1ull << 14)
#define KPF_ZERO_PAGE  (1ull << 24)
#define KPF_PGTABLE    (1ull << 26)
#define KPF_RESERVED   (1ull << 32)
#define KPF_COW        (1ull << 48) /* ours: anonymous with several owners, a write will copy */

/* ---- Files of 64-bit words ---- */

/* What the words are made from: one allocation, as they are too large for a kernel stack. */
struct word_batch {
    struct vm_space *space;
    bool show_frames;
    union {
        struct vm_page_info page[BATCH];
        struct vm_frame_info frame[BATCH];
    };
    uint64_t word[BATCH];
};

/* Makes the n words from index on. */
typedef void (*make_words)(struct word_batch *b, uint32_t index, unsigned n);

static long words_read(struct word_batch *b, uint64_t end, void __user *ubuf, size_t len,
                       uint64_t *pos, make_words make)
{
    size_t done = 0;

    while (done < len && *pos / sizeof(uint64_t) < end) {
        uint64_t index = *pos / sizeof(uint64_t), left = end - index;
        unsigned n = BATCH;

        if (n > (len - done) / sizeof(uint64_t))
            n = (unsigned)((len - done) / sizeof(uint64_t));
        if (n > left)
            n = (unsigned)left;
        make(b, (uint32_t)index, n);
        if (copy_to_user((char __user *)ubuf + done, b->word, n * sizeof(uint64_t)))
            return done ? (long)done : -EFAULT;
        done += n * sizeof(uint64_t);
        *pos += n * sizeof(uint64_t);
        sched_point();
    }
    return (long)done;
}

static bool aligned(size_t len, uint64_t pos)
{
    return len % sizeof(uint64_t) == 0 && pos % sizeof(uint64_t) == 0;
}

/* ---- pagemap ---- */

static uint64_t pagemap_word(const struct vm_page_info *p, bool show_frame)
{
    uint64_t word = show_frame ? p->frame : 0;

    if (p->swapped) /* the type of the area in 5 bits, the place in it */
        return PAGEMAP_SWAPPED |
               (show_frame ? p->slot >> 24 | (uint64_t)(p->slot & 0xffffff) << 5 : 0);
    if (!p->entry)
        return 0;
    return word | PAGEMAP_PRESENT | (p->file ? PAGEMAP_FILE : 0) |
           (p->exclusive ? PAGEMAP_EXCLUSIVE : 0);
}

static void make_pagemap(struct word_batch *b, uint32_t index, unsigned n)
{
    vm_page_info(b->space, (vaddr_t)index << PAGE_SHIFT, n, b->page);
    for (unsigned i = 0; i < n; i++)
        b->word[i] = pagemap_word(&b->page[i], b->show_frames);
}

static long pagemap_read(struct file *f, void __user *ubuf, size_t len, uint64_t *pos)
{
    struct word_batch *b;
    int err = 0;
    long n;

    if (!aligned(len, *pos))
        return -EINVAL;
    b = kmalloc(sizeof(*b));
    if (!b)
        return -ENOMEM;
    b->show_frames = capable(CAP_SYS_ADMIN);
    b->space = target_space(inode_target(f->inode), true, &err);
    n = err;
    if (b->space) {
        n = words_read(b, USER_TOP >> PAGE_SHIFT, ubuf, len, pos, make_pagemap);
        vm_space_unref(b->space);
    }
    kmfree(b);
    return n;
}

const struct file_ops pagemap_ops = {
    .open = process_mem_open,
    .read = pagemap_read,
};

/* ---- kpagecount, kpageflags ---- */

static void make_counts(struct word_batch *b, uint32_t index, unsigned n)
{
    vm_frame_info(index, n, b->frame);
    for (unsigned i = 0; i < n; i++)
        b->word[i] = b->frame[i].mappings;
}

static uint64_t kind_flags(const struct vm_frame_info *f)
{
    switch (f->kind) {
    case VM_FRAME_RESERVED:
        return KPF_RESERVED;
    case VM_FRAME_FREE:
        return KPF_BUDDY;
    case VM_FRAME_SLAB:
        return KPF_SLAB;
    case VM_FRAME_TABLE:
        return KPF_PGTABLE;
    case VM_FRAME_ANON:
        return KPF_ANON | KPF_SWAPBACKED | KPF_LRU |
               (f->flags & VM_FRAME_BUSY ? KPF_LOCKED : KPF_UPTODATE);
    case VM_FRAME_FILE:
        return KPF_LRU | (f->flags & VM_FRAME_BUSY ? KPF_LOCKED : KPF_UPTODATE);
    case VM_FRAME_SHMEM:
        return KPF_LRU | KPF_SWAPBACKED | (f->flags & VM_FRAME_BUSY ? KPF_LOCKED : KPF_UPTODATE);
    case VM_FRAME_ZERO:
        return KPF_ZERO_PAGE;
    default:
        return 0;
    }
}

static uint64_t frame_flags(const struct vm_frame_info *f)
{
    return kind_flags(f) | (f->mappings ? KPF_MMAP : 0) |
           (f->flags & VM_FRAME_REFERENCED ? KPF_REFERENCED : 0) |
           (f->flags & VM_FRAME_DIRTY ? KPF_DIRTY : 0) | (f->flags & VM_FRAME_COW ? KPF_COW : 0) |
           (f->flags & VM_FRAME_WRITING ? KPF_WRITEBACK : 0) |
           (f->flags & VM_FRAME_IN_SWAP ? KPF_SWAPCACHE : 0);
}

static void make_flags(struct word_batch *b, uint32_t index, unsigned n)
{
    vm_frame_info(index, n, b->frame);
    for (unsigned i = 0; i < n; i++)
        b->word[i] = frame_flags(&b->frame[i]);
}

static long frames_read(void __user *ubuf, size_t len, uint64_t *pos, make_words make)
{
    struct word_batch *b;
    long n;

    if (!aligned(len, *pos))
        return -EINVAL;
    b = kmalloc(sizeof(*b));
    if (!b)
        return -ENOMEM;
    n = words_read(b, vm_frame_end(), ubuf, len, pos, make);
    kmfree(b);
    return n;
}

static long kpagecount_read(struct file *f, void __user *ubuf, size_t len, uint64_t *pos)
{
    (void)f;
    return frames_read(ubuf, len, pos, make_counts);
}

static long kpageflags_read(struct file *f, void __user *ubuf, size_t len, uint64_t *pos)
{
    (void)f;
    return frames_read(ubuf, len, pos, make_flags);
}

const struct file_ops kpagecount_ops = {.read = kpagecount_read};
const struct file_ops kpageflags_ops = {.read = kpageflags_read};

/* ---- pagetable ---- */

static int pagetable_line(void *space, uint64_t *item, char *buf, size_t size)
{
    vaddr_t va = *item << PAGE_SHIFT >= USER_TOP ? USER_TOP : (vaddr_t)(*item << PAGE_SHIFT);
    struct vm_page_info p;

    do {
        va = vm_next_mapped(space, va);
        if (va >= USER_TOP)
            return 0;
        vm_page_info(space, va, 1, &p);
        if (!p.entry)
            va += PAGE_SIZE;
    } while (!p.entry);
    *item = va >> PAGE_SHIFT;
    return snprintf(buf, size, "%08x %05x %c%c%c %s%s\n", va, p.frame, p.entry & PTE_W ? 'w' : '-',
                    p.entry & PTE_A ? 'a' : '-', p.entry & PTE_D ? 'd' : '-',
                    p.zero   ? "zero"
                    : p.file ? "file"
                             : "anon",
                    p.zero || p.exclusive ? "" : " shared");
}

static long table_read(struct file *f, void __user *ubuf, size_t len, uint64_t *pos, line_fn line)
{
    int err;
    struct vm_space *s = target_space(inode_target(f->inode), true, &err);
    long n = err;

    if (s) {
        n = lines_read(s, line, ubuf, len, pos);
        vm_space_unref(s);
    }
    return n;
}

static long pagetable_read(struct file *f, void __user *ubuf, size_t len, uint64_t *pos)
{
    return table_read(f, ubuf, len, pos, pagetable_line);
}

const struct file_ops pagetable_ops = {
    .open = process_mem_open,
    .read = pagetable_read,
};

/* ---- pagedir ---- */

/* Which entry, the address it begins at, its table's frame, and how many pages that maps. */
static int pagedir_line(void *space, uint64_t *item, char *buf, size_t size)
{
    unsigned n = (unsigned)*item, present = 0;
    pde_t entry = 0;

    while (n < PDX(USER_TOP) && !(entry = vm_directory_entry(space, n, &present)))
        n++;
    *item = n;
    if (!entry)
        return 0;
    return snprintf(buf, size, "%u %08x %05x %c %u\n", n, (vaddr_t)n << 22,
                    PTE_ADDR(entry) >> PAGE_SHIFT, entry & PTE_W ? 'w' : '-', present);
}

static long pagedir_read(struct file *f, void __user *ubuf, size_t len, uint64_t *pos)
{
    return table_read(f, ubuf, len, pos, pagedir_line);
}

const struct file_ops pagedir_ops = {
    .open = process_mem_open,
    .read = pagedir_read,
};

/* ---- freelist ---- */

#define FREE_SHOWN 64u

/* A node a line, from the head on: the free frame that it lies in, and the address of the next,
 * which is what the first word of that frame holds. */
int show_freelist(struct text *t, const struct target *who)
{
    pfn_t *list = kmalloc((FREE_SHOWN + 1) * sizeof(*list));
    unsigned n;

    (void)who;
    if (!list)
        return -ENOMEM;
    n = vm_free_list(list, FREE_SHOWN + 1);
    for (unsigned i = 0; i < n && i < FREE_SHOWN; i++)
        text_printf(t, "%05x %08x\n", list[i],
                    i + 1 < n ? (uint32_t)(uintptr_t)phys_to_virt(list[i + 1] << PAGE_SHIFT) : 0);
    kmfree(list);
    return 0;
}
