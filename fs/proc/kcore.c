/*
 * /proc/kcore: the kernel's memory as an ELF core file, for gdb build/faultline.elf /proc/kcore. A
 * segment for each range of RAM, at its address in the kernel's map; what is mapped elsewhere,
 * kernel stacks among it, is found there too.
 *
 * The head is made anew for each read: it never changes after boot.
 */
#include "arch/mmu.h"
#include "arch/resource.h"
#include "arch/uaccess.h"
#include "fs/proc/procfs.h"
#include "kernel/base/elf.h"
#include "libc/errno.h"
#include "libc/string.h"

#define SEGMENTS_MAX 32u
#define NAME_SIZE    8u /* "CORE", padded */
#define NT_PRSTATUS  1u
#define STATUS_SIZE  144u /* struct elf_prstatus: no registers are known */

struct head { /* the first page of the file */
    struct elf_header elf;
    struct elf_phdr note, load[SEGMENTS_MAX];
    struct {
        uint32_t name_size, size, type;
        char name[NAME_SIZE];
        uint8_t status[STATUS_SIZE];
    } status;
};
_Static_assert(sizeof(struct head) <= PAGE_SIZE, "one page");

/* The n-th range of RAM that the kernel has mapped. */
static bool ram_range(unsigned n, uint32_t *start, uint32_t *end)
{
    const struct resource *r;

    for (unsigned i = 0; (r = resource_get(RESOURCE_MEMORY, i)); i++) {
        *start = (r->start + PAGE_SIZE - 1) & PAGE_MASK;
        *end = (r->end < PHYS_WINDOW_SIZE ? r->end + 1 : PHYS_WINDOW_SIZE) & PAGE_MASK;
        if (strcmp(r->name, "System RAM") == 0 && *start < *end && n-- == 0)
            return true;
    }
    return false;
}

static void make_head(struct head *h)
{
    uint32_t start, end;
    unsigned n = 0;

    *h = (struct head){
        .elf = {.ident = {0x7f, 'E', 'L', 'F', 1 /* 32 bits */, 1 /* little end first */, 1},
                .type = ET_CORE,
                .machine = EM_386,
                .version = 1,
                .phoff = offsetof(struct head, note),
                .ehsize = sizeof(struct elf_header),
                .phentsize = sizeof(struct elf_phdr)},
        .note = {.type = PT_NOTE,
                 .offset = offsetof(struct head, status),
                 .filesz = sizeof(h->status)},
        .status = {.name_size = sizeof("CORE"),
                   .size = STATUS_SIZE,
                   .type = NT_PRSTATUS,
                   .name = "CORE"},
    };
    for (; n < SEGMENTS_MAX && ram_range(n, &start, &end); n++)
        h->load[n] = (struct elf_phdr){
            .type = PT_LOAD,
            .offset = PAGE_SIZE + start,
            .vaddr = PHYS_WINDOW + start,
            .paddr = start,
            .filesz = end - start,
            .memsz = end - start,
            .flags = PF_R | PF_W | PF_X,
            .align = PAGE_SIZE,
        };
    h->elf.phnum = (uint16_t)(n + 1);
}

uint32_t kcore_size(void)
{
    uint32_t start, end, last = 0;

    for (unsigned n = 0; n < SEGMENTS_MAX && ram_range(n, &start, &end); n++)
        last = end > last ? end : last;
    return PAGE_SIZE + last;
}

static bool is_ram(uint32_t pa)
{
    uint32_t start, end;

    for (unsigned n = 0; n < SEGMENTS_MAX && ram_range(n, &start, &end); n++)
        if (pa >= start && pa < end)
            return true;
    return false;
}

/* The page of the file that begins at a multiple of a page. What lies between the ranges is zero.
 */
static void fill(uint8_t *page, uint64_t at)
{
    memset(page, 0, PAGE_SIZE);
    if (at == 0)
        make_head((struct head *)page);
    else if (is_ram((uint32_t)at - PAGE_SIZE))
        memcpy(page, phys_to_virt((uint32_t)at - PAGE_SIZE), PAGE_SIZE);
}

static long kcore_read(struct file *f, void __user *ubuf, size_t len, uint64_t *pos)
{
    const uint32_t size = kcore_size();
    uint8_t *page = kalloc();
    size_t done = 0;
    int err = 0;

    (void)f;
    if (!page)
        return -ENOMEM;
    while (done < len && *pos < size && !err) {
        uint32_t skip = (uint32_t)*pos % PAGE_SIZE, n = PAGE_SIZE - skip;

        n = n < len - done ? n : (uint32_t)(len - done);
        fill(page, *pos - skip);
        err = copy_to_user((uint8_t __user *)ubuf + done, page + skip, n);
        if (!err) {
            done += n;
            *pos += n;
        }
        if (fatal_signal_pending())
            break;
        sched_point();
    }
    kfree(page);
    return done ? (long)done : err;
}

static int kcore_open(struct inode *inode, struct file *f)
{
    (void)inode, (void)f;
    return capable(CAP_SYS_RAWIO) ? 0 : -EPERM;
}

const struct file_ops kcore_ops = {
    .open = kcore_open,
    .read = kcore_read,
};
