/*
 * /proc/kcore: the kernel's memory as an ELF core file. A page of this program is found there, by
 * the frame that pagemap tells.
 */
#include <elf.h>
#include "guest.h"

static char page[PAGE] __attribute__((aligned(PAGE)));

static uint64_t frame_of(const void *p)
{
    int fd = open("/proc/self/pagemap", O_RDONLY);
    uint64_t entry;

    DIE_UNLESS(pread(fd, &entry, 8, (uintptr_t)p / PAGE * 8) == 8);
    close(fd);
    return entry & ((1ull << 55) - 1);
}

/* Where in the file physical memory at pa lies, or -1. */
static long place_of(int fd, const Elf32_Ehdr *e, uint32_t pa)
{
    Elf32_Phdr p;

    for (int i = 0; i < e->e_phnum; i++) {
        DIE_UNLESS(pread(fd, &p, sizeof(p), e->e_phoff + i * sizeof(p)) == sizeof(p));
        if (p.p_type == PT_LOAD && p.p_paddr <= pa && pa - p.p_paddr < p.p_filesz)
            return (long)(p.p_offset + (pa - p.p_paddr));
    }
    return -1;
}

static void as_nobody(void *arg)
{
    (void)arg;
    DIE_UNLESS(setgid(65534) == 0 && setuid(65534) == 0);
    SHOW(open("/proc/kcore", O_RDONLY));
}

int main(void)
{
    int fd = open("/proc/kcore", O_RDONLY);
    char there[64] = "";
    struct stat st;
    Elf32_Ehdr e;
    long at;

    memset(page, 'k', sizeof(page));
    strcpy(page + 100, "a page of this program");
    DIE_UNLESS(fd >= 0 && read(fd, &e, sizeof(e)) == sizeof(e));
    printf("%.3s %d %d %d %d\n", e.e_ident + 1, e.e_ident[EI_CLASS], e.e_type, e.e_machine,
           e.e_phentsize);
    at = place_of(fd, &e, (uint32_t)frame_of(page) * PAGE);
    DIE_UNLESS(at > 0 && fstat(fd, &st) == 0);
    printf("as long as it says: %d, mode %o\n", st.st_size > at, st.st_mode);
    SHOW(pread(fd, there, 23, at + 100));
    printf("%s\n", there);
    SHOW(pread(fd, (void *)8, 10, at));
    SHOW(write(fd, "x", 1));
    SHOW(open("/proc/kcore", O_RDWR) >= 0);
    close(fd);
    in_child("nobody", as_nobody, NULL);
    return 0;
}
