/*
 * ELF programs: from program headers to mappings. Nothing is loaded: text and data are private
 * mappings of the file, bss is anonymous memory, and the pages come when they are touched. Only
 * where data and bss share a page is its tail cleared at once.
 *
 * Segments are mapped in their order, so that of two which overlap the later one is seen; as on
 * Linux, nobody asks for the class in the header.
 *
 * The file is hostile: every number is checked before it is used. A segment may reach past the end
 * of the file, as on Linux: touching it there is a SIGBUS.
 */
#include "fs/vfs/vfs.h"
#include "kernel/base/elf.h"
#include "kernel/process/exec.h"
#include "libc/errno.h"
#include "libc/string.h"

#define PHDRS_MAX   (PAGE_SIZE / sizeof(struct elf_phdr))
#define ET_DYN_BASE 0x55555000u /* two thirds of the space, as on Linux */

struct elf_file {
    struct file *file;
    struct elf_header h;
    struct elf_phdr *phdrs; /* a frame */
    uint32_t low, high;     /* pages that the segments span, before the bias */
    uint32_t bias;
    uint32_t brk; /* the end of the last segment, with the bias */
    struct program_marks marks;
};

static uint32_t page_up(uint32_t a)
{
    return (a + PAGE_SIZE - 1) & PAGE_MASK;
}

/* ---- Checking ---- */

static int check_header(const struct elf_header *h)
{
    static const uint8_t magic[4] = {0x7f, 'E', 'L', 'F'};

    if (memcmp(h->ident, magic, 4) != 0)
        return -ENOEXEC;
    if (h->type != ET_EXEC && h->type != ET_DYN)
        return -ENOEXEC;
    if (h->machine != EM_386 && h->machine != EM_486)
        return -ENOEXEC;
    if (h->phentsize != sizeof(struct elf_phdr) || h->phnum == 0 || h->phnum > PHDRS_MAX)
        return -ENOEXEC;
    return 0;
}

static int check_segment(const struct elf_file *e, const struct elf_phdr *p)
{
    if (p->filesz > p->memsz || p->memsz > USER_TOP || p->vaddr > USER_TOP - p->memsz)
        return -EINVAL;
    if (e->h.type == ET_EXEC && p->vaddr < USER_MIN)
        return -EINVAL;
    if (p->filesz && ((p->offset ^ p->vaddr) & ~PAGE_MASK))
        return -EINVAL;
    if (p->offset > UINT32_MAX - p->filesz)
        return -EINVAL;
    return 0;
}

/* Checks all segments and finds out what they span. */
static int measure(struct elf_file *e)
{
    uint32_t low = UINT32_MAX, high = 0;

    for (const struct elf_phdr *p = e->phdrs; p < e->phdrs + e->h.phnum; p++) {
        int err;

        if (p->type != PT_LOAD || !p->memsz)
            continue;
        err = check_segment(e, p);
        if (err)
            return err;
        if (p->vaddr < low)
            low = p->vaddr;
        if (p->vaddr + p->memsz > high)
            high = p->vaddr + p->memsz;
    }
    if (!high)
        return -ENOEXEC;
    e->low = low & PAGE_MASK;
    e->high = page_up(high);
    return 0;
}

/* n bytes of the file; too_short is the error when it ends before. */
static int read_whole(struct file *f, uint32_t offset, void *buf, uint32_t n, int too_short)
{
    long got = exec_read(f, offset, buf, n);

    if (got < 0)
        return (int)got;
    return got == (long)n ? 0 : too_short;
}

/* head: the first bytes of the file, already read. */
static int read_headers(struct elf_file *e, const void *head, uint32_t head_size)
{
    uint32_t size;
    int err;

    if (head_size < sizeof(e->h))
        return -ENOEXEC;
    memcpy(&e->h, head, sizeof(e->h));
    err = check_header(&e->h);
    if (err)
        return err;
    e->phdrs = kalloc();
    if (!e->phdrs)
        return -ENOMEM;
    size = e->h.phnum * sizeof(struct elf_phdr);
    if (e->h.phoff <= head_size && size <= head_size - e->h.phoff)
        memcpy(e->phdrs, (const uint8_t *)head + e->h.phoff, size);
    else
        err = read_whole(e->file, e->h.phoff, e->phdrs, size, -ENOEXEC);
    return err ? err : measure(e);
}

static const struct elf_phdr *find_phdr(const struct elf_file *e, uint32_t type)
{
    for (const struct elf_phdr *p = e->phdrs; p < e->phdrs + e->h.phnum; p++) {
        if (p->type == type)
            return p;
    }
    return NULL;
}

/* ---- Mapping ---- */

static uint8_t segment_prot(const struct elf_phdr *p)
{
    return (p->flags & PF_R ? VM_PROT_READ : 0) | (p->flags & PF_W ? VM_PROT_WRITE : 0) |
           (p->flags & PF_X ? VM_PROT_EXEC : 0);
}

static int map_file_part(struct elf_file *e, struct vm_space *s, const struct elf_phdr *p)
{
    uint32_t start = p->vaddr & PAGE_MASK;
    struct vm_mapping m = {
        .addr = start + e->bias,
        .len = page_up(p->vaddr + p->filesz) - start,
        .prot = segment_prot(p),
        .maxprot = VM_PROT_READ | VM_PROT_WRITE | VM_PROT_EXEC,
        .flags = VM_FIXED,
        .object = e->file->inode->object,
        .backing = &e->file->mapped,
        .pgoff = p->offset >> PAGE_SHIFT,
    };

    return vm_map(s, &m, NULL);
}

static int map_bss(struct elf_file *e, struct vm_space *s, const struct elf_phdr *p)
{
    uint32_t start = p->filesz ? page_up(p->vaddr + p->filesz) : p->vaddr & PAGE_MASK;
    uint32_t end = page_up(p->vaddr + p->memsz);
    struct vm_mapping m = {
        .addr = start + e->bias,
        .len = end - start,
        .prot = VM_PROT_READ | VM_PROT_WRITE | (p->flags & PF_X ? VM_PROT_EXEC : 0),
        .maxprot = VM_PROT_READ | VM_PROT_WRITE | VM_PROT_EXEC,
        .flags = VM_FIXED,
    };

    return start < end ? vm_map(s, &m, NULL) : 0;
}

/* The rest of the page where data ends and bss begins: zeros, not what the file has there. */
static int clear_tail(struct elf_file *e, struct vm_space *s, const struct elf_phdr *p)
{
    static uint8_t zeros[PAGE_SIZE]; /* in .bss */
    uint32_t from = p->vaddr + p->filesz, n = page_up(from) - from;

    if (!p->filesz || !(p->flags & PF_W) || n == 0 || p->memsz == p->filesz)
        return 0;
    return vm_copy_to(s, from + e->bias, zeros, n) == (long)n ? 0 : -ENOEXEC;
}

/* A segment has been mapped. */
static void mark(struct elf_file *e, const struct elf_phdr *p)
{
    uint32_t start = p->vaddr + e->bias, end = start + p->filesz;
    struct program_marks *m = &e->marks;

    if ((p->flags & PF_X) && (!m->start_code || start < m->start_code))
        m->start_code = start;
    if ((p->flags & PF_X) && end > m->end_code)
        m->end_code = end;
    if (start > m->start_data)
        m->start_data = start;
    if (end > m->end_data)
        m->end_data = end;
    if (start + p->memsz > e->brk)
        e->brk = start + p->memsz;
}

static int map_segments(struct elf_file *e, struct vm_space *s)
{
    for (const struct elf_phdr *p = e->phdrs; p < e->phdrs + e->h.phnum; p++) {
        int err = 0;

        if (p->type != PT_LOAD || !p->memsz)
            continue;
        if (p->filesz)
            err = map_file_part(e, s, p);
        if (!err && p->memsz > p->filesz)
            err = map_bss(e, s, p);
        if (!err)
            err = clear_tail(e, s, p);
        if (err)
            return err;
        mark(e, p);
    }
    return 0;
}

/* A place where all segments of a position-independent file fit: at hint, or anywhere. */
static int choose_bias(struct elf_file *e, struct vm_space *s, vaddr_t hint)
{
    struct vm_mapping m = {.addr = hint, .len = e->high - e->low};
    vaddr_t at;
    int err = vm_map(s, &m, &at);

    if (err)
        return err;
    e->bias = at - e->low;
    return vm_unmap(s, at, m.len);
}

static uint32_t phdr_address(const struct elf_file *e)
{
    for (const struct elf_phdr *p = e->phdrs; p < e->phdrs + e->h.phnum; p++) {
        if (p->type == PT_LOAD && p->offset <= e->h.phoff && e->h.phoff - p->offset < p->filesz)
            return e->h.phoff - p->offset + p->vaddr + e->bias;
    }
    return 0;
}

/* ---- The interpreter ---- */

/* Opens the interpreter that p names. */
static int open_interpreter(struct elf_file *e, const struct elf_phdr *p, struct file **out)
{
    char *path;
    int err;

    if (p->filesz > PATH_MAX || p->filesz < 2)
        return -ENOEXEC;
    path = kalloc();
    if (!path)
        return -ENOMEM;
    err = read_whole(e->file, p->offset, path, p->filesz, -EIO);
    if (!err)
        err = path[p->filesz - 1] == '\0' ? exec_open(AT_FDCWD, path, 0, out) : -ENOEXEC;
    kfree(path);
    return err;
}

static int map_interpreter(struct file *f, struct vm_space *s, uint32_t *base, uint32_t *start)
{
    struct elf_file e = {.file = f};
    struct elf_header h;
    int err;

    err = read_whole(f, 0, &h, sizeof(h), -EIO);
    if (err)
        return err;
    err = read_headers(&e, &h, sizeof(h));
    if (err == -ENOEXEC)
        err = -ELIBBAD;
    if (!err && e.h.type == ET_DYN)
        err = choose_bias(&e, s, 0);
    if (!err)
        err = map_segments(&e, s);
    *base = e.bias + (e.h.type == ET_DYN ? e.low : 0);
    *start = e.h.entry + e.bias;
    if (e.phdrs)
        kfree(e.phdrs);
    return err;
}

static int load_interpreter(struct elf_file *e, const struct elf_phdr *p, struct vm_space *s,
                            struct elf_program *out)
{
    struct file *f;
    int err = open_interpreter(e, p, &f);

    if (err)
        return err;
    err = map_interpreter(f, s, &out->base, &out->start);
    file_put(f);
    return err;
}

/* ---- All of it ---- */

static int load(struct elf_file *e, struct vm_space *s, uint32_t shift, struct elf_program *out)
{
    const struct elf_phdr *interp = find_phdr(e, PT_INTERP);
    const struct elf_phdr *stack = find_phdr(e, PT_GNU_STACK);
    int err = 0;

    if (e->h.type == ET_DYN)
        err = choose_bias(e, s, interp ? ET_DYN_BASE + shift : 0);
    if (!err)
        err = map_segments(e, s);
    if (err)
        return err;
    out->entry = out->start = e->h.entry + e->bias;
    if (interp)
        err = load_interpreter(e, interp, s, out);
    if (out->start >= USER_TOP)
        return -EINVAL;
    out->marks = e->marks;
    out->phdr = phdr_address(e);
    out->phnum = e->h.phnum;
    out->exec_stack = !stack || (stack->flags & PF_X);
    out->says_nothing = !stack;
    /* A static PIE lies among the mappings, where a heap could not grow. */
    out->brk = e->h.type == ET_DYN && !interp ? ET_DYN_BASE : page_up(e->brk);
    return err;
}

int elf_load(struct file *f, const void *head, uint32_t head_size, struct vm_space *s,
             uint32_t shift, struct elf_program *out)
{
    struct elf_file e = {.file = f};
    int err = read_headers(&e, head, head_size);

    memset(out, 0, sizeof(*out));
    if (!err)
        err = load(&e, s, shift, out);
    if (e.phdrs)
        kfree(e.phdrs);
    return err;
}
