/*
 * The vDSO in the memory of programs: a page of code, and below it the page of the clock.
 *
 * The code is a private mapping like any program's: a debugger's breakpoint makes a copy. The
 * clock's page is one frame for everybody, which nobody but the kernel writes to. Both may be moved
 * and unmapped; the kernel goes to where the code was seen last, and a program that is not there
 * any more has a fault of its own.
 */
#include "arch/clock_page.h"
#include "arch/thread.h"
#include "kernel/base/boot.h"
#include "kernel/base/init.h"
#include "kernel/base/log.h"
#include "kernel/process/vdso.h"
#include "kernel/thread/proc.h"
#include "kernel/time/time.h"
#include "libc/errno.h"
#include "libc/string.h"
#include "mm/vm.h"

extern const uint8_t vdso_image[], vdso_image_end[]; /* vdso/image.asm */

static struct vm_object *code, *clock; /* NULL: programs get none */

/* mov esp to ebp and sysenter, which a CPU without it must not meet: int 0x80 comes next. */
static void take_out_sysenter(uint8_t *page)
{
    static const uint8_t nops[4] = {0x90, 0x90, 0x90, 0x90};

    memcpy(page + vdso_vsyscall_enter, nops, sizeof(nops));
}

static int get_code(struct vm_object *o, struct vm_run *run)
{
    uint32_t size = (uint32_t)(vdso_image_end - vdso_image);

    (void)o;
    memcpy(run->page[0], vdso_image, size);
    memset((uint8_t *)run->page[0] + size, 0, PAGE_SIZE - size);
    if (!cpu_has_sysenter())
        take_out_sysenter(run->page[0]);
    return 1;
}

static void describe_code(struct vm_object *o, char *buf, size_t size, uint32_t *ino, uint32_t *dev)
{
    (void)o, (void)ino, (void)dev;
    strlcpy(buf, "[vdso]", size);
}

static void describe_clock(struct vm_object *o, char *buf, size_t size, uint32_t *ino,
                           uint32_t *dev)
{
    (void)o, (void)ino, (void)dev;
    strlcpy(buf, "[vvar]", size);
}

static const struct pager code_pager = {.name = "vdso", .get = get_code, .describe = describe_code};
static const struct pager clock_pager = {
    .name = "vvar", .get = vm_zero_get, .describe = describe_clock};

static void vdso_init(void)
{
    char wanted[4];
    struct clock_page *page;

    if (boot_option("vdso", wanted, sizeof(wanted)) && strcmp(wanted, "0") == 0)
        return;
    clock = vm_object_create(&clock_pager, NULL, PAGE_SIZE);
    code = vm_object_create(&code_pager, NULL, PAGE_SIZE);
    page = clock ? vm_object_hold(clock, 0) : NULL;
    if (!code || !page)
        panic("no memory for the vDSO");
    time_publish(page);
}
INIT_AT(INIT_DEVICE, vdso_init);

static int map_code(struct vm_space *s, vaddr_t at, uint16_t flags, vaddr_t *out)
{
    const struct vm_mapping m = {
        .addr = at,
        .len = PAGE_SIZE,
        .prot = VM_PROT_READ | VM_PROT_EXEC,
        .maxprot = VM_PROT_READ | VM_PROT_WRITE | VM_PROT_EXEC,
        .flags = flags,
        .object = code,
    };

    return vm_map(s, &m, out);
}

static int map_clock(struct vm_space *s, vaddr_t at, size_t len, uint16_t flags, vaddr_t *out)
{
    const struct vm_mapping m = {
        .addr = at,
        .len = len,
        .prot = VM_PROT_READ,
        .maxprot = VM_PROT_READ,
        .flags = VM_DONTDUMP | flags,
        .object = clock,
    };

    return vm_map(s, &m, out);
}

/* Where the page below the code's place is taken: a place for both, half of which is then the
 * code's. */
static int map_over(struct vm_space *s, vaddr_t *at)
{
    int err = vm_unmap(s, *at, PAGE_SIZE);

    if (!err)
        err = map_clock(s, 0, 2 * PAGE_SIZE, 0, at);
    *at += PAGE_SIZE;
    return err ? err : map_code(s, *at, VM_FIXED, NULL);
}

int vdso_map(struct vm_space *s)
{
    vaddr_t at;
    int err;

    if (!code)
        return 0;
    err = map_code(s, 0, 0, &at);
    if (err)
        return err;
    err = map_clock(s, at - PAGE_SIZE, PAGE_SIZE, VM_FIXED | VM_NOREPLACE, NULL);
    if (err == -EEXIST)
        err = map_over(s, &at);
    if (!err)
        vm_set_gate(s, at);
    return err;
}

uint32_t vdso_start(const struct vm_space *s)
{
    return vm_gate(s);
}

uint32_t vdso_address(uint32_t place)
{
    uint32_t start = vm_gate(proc_current()->space);

    return start ? start + place : 0;
}
