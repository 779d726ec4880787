/* The file as a whole: ELF header, program headers, notes, memory. man 5 elf */
#include "kernel/dump/dump.h"
#include "kernel/base/elf.h"
#include "kernel/thread/proc.h"
#include "libc/string.h"
#include "mm/see.h"

struct image {
    struct core_areas areas;
    struct core_notes notes;
    uint32_t segments, notes_size;
    uint64_t next; /* where the contents of the next area go */
};

static bool is_many(const struct image *m)
{
    return m->segments >= PN_XNUM;
}

static uint32_t notes_offset(const struct image *m)
{
    return sizeof(struct elf_header) + m->segments * (uint32_t)sizeof(struct elf_phdr) +
           (is_many(m) ? sizeof(struct elf_shdr) : 0);
}

static void emit_header(struct core_output *o, const struct image *m)
{
    struct elf_header h = {
        .ident = {0x7f, 'E', 'L', 'F', 1 /* 32 bits */, 1 /* little end first */, 1},
        .type = ET_CORE,
        .machine = EM_386,
        .version = 1,
        .phoff = sizeof(h),
        .ehsize = sizeof(h),
        .phentsize = sizeof(struct elf_phdr),
        .phnum = (uint16_t)(is_many(m) ? PN_XNUM : m->segments),
    };

    if (is_many(m)) {
        h.shoff = notes_offset(m) - sizeof(struct elf_shdr);
        h.shentsize = sizeof(struct elf_shdr);
        h.shnum = 1;
    }
    core_emit(o, &h, sizeof(h));
}

static void emit_many(struct core_output *o, const struct image *m)
{
    struct elf_shdr s = {.type = SHT_NULL, .size = 1, .info = m->segments};

    if (is_many(m))
        core_emit(o, &s, sizeof(s));
}

static void emit_load(struct core_output *o, const struct core_area *a, void *arg)
{
    struct image *m = arg;
    struct elf_phdr p = {
        .type = PT_LOAD,
        .offset = (uint32_t)m->next,
        .vaddr = a->start,
        .filesz = a->dumped,
        .memsz = a->end - a->start,
        .flags = (a->prot & VM_PROT_READ ? PF_R : 0u) | (a->prot & VM_PROT_WRITE ? PF_W : 0u) |
                 (a->prot & VM_PROT_EXEC ? PF_X : 0u),
        .align = PAGE_SIZE,
    };

    m->next += a->dumped;
    core_emit(o, &p, sizeof(p));
}

static bool is_zero(const uint8_t *page)
{
    const uint32_t *w = (const uint32_t *)page;

    for (unsigned i = 0; i < PAGE_SIZE / 4; i++)
        if (w[i])
            return false;
    return true;
}

/* What cannot be read, and what is zero, is a hole. */
static void emit_area(struct core_output *o, const struct core_area *a, void *arg)
{
    const struct image *m = arg;
    uint8_t *page = m->notes.scratch;
    vaddr_t end = a->start + a->dumped;

    for (vaddr_t va = a->start; va < end && !o->failed; va += PAGE_SIZE) {
        if (a->sparse) {
            vaddr_t next = vm_next_private(m->notes.space, va, end);

            if (next > va)
                core_skip(o, next - va);
            va = next;
            if (va >= end)
                break;
        }
        if (vm_peek(m->notes.space, page, va, PAGE_SIZE) != PAGE_SIZE || is_zero(page))
            core_skip(o, PAGE_SIZE);
        else
            core_emit(o, page, PAGE_SIZE);
    }
}

static void emit_all(struct core_output *o, struct image *m)
{
    struct elf_phdr note = {.type = PT_NOTE, .offset = notes_offset(m), .filesz = m->notes_size};

    m->next = (notes_offset(m) + m->notes_size + PAGE_SIZE - 1) & PAGE_MASK;
    emit_header(o, m);
    core_emit(o, &note, sizeof(note));
    core_areas_each(&m->areas, o, emit_load, m);
    emit_many(o, m);
    core_notes_emit(&m->notes, o);
    core_align(o, PAGE_SIZE);
    core_areas_each(&m->areas, o, emit_area, m);
    core_finish(o);
}

void core_image(struct core_output *o, struct vm_space *s, int signo, const struct siginfo *info)
{
    struct image m = {0};
    uint8_t *scratch = kalloc();

    o->page = kalloc();
    if (core_areas_take(&m.areas, s, proc_current()->core_filter) == 0 && scratch && o->page) {
        m.notes = (struct core_notes){
            .signo = signo, .info = info, .areas = &m.areas, .space = s, .scratch = scratch};
        m.segments = m.areas.count + 1;
        m.notes_size = core_notes_size(&m.notes);
        emit_all(o, &m);
    } else {
        o->failed = true;
    }
    core_areas_free(&m.areas);
    if (scratch)
        kfree(scratch);
    if (o->page)
        kfree(o->page);
}
