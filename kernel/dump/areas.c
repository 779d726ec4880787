/*
 * Which memory a core holds: of each area all, its first page or nothing, as coredump_filter and
 * MADV_DONTDUMP say. Taken once, so that headers and contents agree whatever another process that
 * shares the space does meanwhile.
 */
#include "kernel/dump/dump.h"
#include "kernel/thread/proc.h"
#include "libc/errno.h"
#include "libc/string.h"
#include "mm/see.h"

/* man 5 core */
#define FILTER_ANON_PRIVATE 0x01u
#define FILTER_ANON_SHARED  0x02u
#define FILTER_FILE_PRIVATE 0x04u
#define FILTER_FILE_SHARED  0x08u
#define FILTER_ELF_HEADERS  0x10u

static bool is_elf(struct vm_space *s, vaddr_t at)
{
    uint32_t magic = 0;

    return vm_peek(s, &magic, at, sizeof(magic)) == sizeof(magic) &&
           memcmp(&magic, "\177ELF", sizeof(magic)) == 0;
}

/* Shared memory that no name leads to: nobody will find it elsewhere. */
static bool is_nameless(const struct vm_area_info *a)
{
    static const char mark[] = " (deleted)";
    size_t len = strlen(a->name), end = sizeof(mark) - 1;

    return len < end || strcmp(a->name + len - end, mark) == 0 || a->name[0] != '/';
}

static uint32_t dumped_bytes(struct vm_space *s, const struct vm_area_info *a, uint32_t filter)
{
    uint32_t all = a->end - a->start;

    if (strcmp(a->name, "[vdso]") == 0)
        return all;
    if ((a->flags & VM_DONTDUMP) || strcmp(a->name, "[vvar]") == 0)
        return 0;
    if (a->flags & VM_SHARED)
        return filter & (is_nameless(a) ? FILTER_ANON_SHARED : FILTER_FILE_SHARED) ? all : 0;
    if ((filter & FILTER_ANON_PRIVATE) && vm_next_private(s, a->start, a->end) < a->end)
        return all;
    if (!a->object)
        return 0;
    if (filter & FILTER_FILE_PRIVATE)
        return all;
    if ((filter & FILTER_ELF_HEADERS) && a->pgoff == 0 && (a->prot & VM_PROT_READ) &&
        ((a->prot & VM_PROT_EXEC) || is_elf(s, a->start)))
        return PAGE_SIZE;
    return 0;
}

static struct core_area *new_area(struct core_areas *list)
{
    struct core_area_page *p = list->last;

    if (list->count % AREAS_IN_PAGE == 0) {
        p = kalloc();
        if (!p)
            return NULL;
        p->next = NULL;
        if (list->last)
            list->last->next = p;
        else
            list->first = p;
        list->last = p;
    }
    return &p->area[list->count++ % AREAS_IN_PAGE];
}

static void fill(struct core_area *to, struct vm_space *s, const struct vm_area_info *a,
                 uint32_t filter)
{
    *to = (struct core_area){
        .start = a->start,
        .end = a->end,
        .dumped = dumped_bytes(s, a, filter),
        .pgoff = a->pgoff,
        .prot = a->prot,
        .name_len = (uint8_t)strlen(a->name),
        .sparse = !a->object,
        .file = a->object && a->name[0] && a->name[0] != '[',
    };
}

int core_areas_take(struct core_areas *list, struct vm_space *s, uint32_t filter)
{
    struct vm_area_info info;

    *list = (struct core_areas){0};
    for (vaddr_t at = 0; vm_next_area(s, at, &info); at = info.end) {
        struct core_area *a = new_area(list);

        if (!a)
            return -ENOMEM;
        fill(a, s, &info, filter);
        if (a->file) {
            list->files++;
            list->file_bytes += a->name_len + 1u;
        }
        sched_point();
        if (fatal_signal_pending())
            return -EINTR;
    }
    return 0;
}

void core_areas_free(struct core_areas *list)
{
    struct core_area_page *p = list->first, *next;

    for (; p; p = next) {
        next = p->next;
        kfree(p);
        sched_point();
    }
}

void core_areas_each(const struct core_areas *list, struct core_output *o,
                     void (*fn)(struct core_output *o, const struct core_area *a, void *arg),
                     void *arg)
{
    const struct core_area_page *p = list->first;

    for (uint32_t i = 0; i < list->count && !o->failed; i++) {
        if (i && i % AREAS_IN_PAGE == 0)
            p = p->next;
        fn(o, &p->area[i % AREAS_IN_PAGE], arg);
        sched_point();
    }
}
