/* What is rarely asked of mappings, and what comes first when several things are wrong: low
 * addresses, offsets that overflow, times of files written through a mapping, unknown flags;
 * overlapping segments; what select does with descriptors that the table has no place for. */
#include "guest.h"
#include <linux/elf.h>
#include <stddef.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>

static void low_addresses(void)
{
    char *p;

    p = mmap((void *)0x3000, 2 * PAGE, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    printf("below the minimum, as root: %d\n", p == (void *)0x3000);
    PROBE_WRITE(p);
    PROBE_READ(p + PAGE);
    TRY(mmap(p, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0));
    p = mmap((void *)0x3000, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    printf("a hint: %d\n", p >= (char *)0x10000);
    munmap((void *)0x3000, 2 * PAGE);
}

static void order_of_errors(void)
{
    int fd = make_file("order", 2 * PAGE), wo = open("order", O_WRONLY);
    char *p = map_anon(1);

    TRY(mmap(p, PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED_NOREPLACE, wo, 0));
    TRY(mmap(p, PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, wo, 0));
    TRY(mmap(p + 1, PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED_NOREPLACE, fd, 0));
    TRY(syscall(SYS_mmap2, 0, 2 * PAGE, PROT_READ, MAP_SHARED, fd, 0xfffff));
    TRY(syscall(SYS_mmap2, 0, 0, PROT_READ, MAP_SHARED, fd, 0xffffffff));
    TRY(syscall(SYS_mmap2, 0, PAGE, PROT_READ, MAP_SHARED, 99, 0xffffffff));
    TRY(mmap(NULL, PAGE, PROT_READ, MAP_SHARED_VALIDATE | 0x10000000, fd, 0));
    TRY(mmap(NULL, PAGE, PROT_READ, MAP_SHARED_VALIDATE | MAP_SYNC, fd, 0));
    TRY(mmap(NULL, PAGE, PROT_READ, MAP_SHARED_VALIDATE | MAP_ANONYMOUS, -1, 0));
    close(fd);
    close(wo);
}

static void show_moved(const char *what, int fd)
{
    struct stat st;

    fstat(fd, &st);
    printf("%s: mtime %s, atime %s\n", what, st.st_mtime == 1000 ? "stands" : "moved",
           st.st_atime == 1000 ? "stands" : "moved");
}

static void times(void)
{
    const struct timespec old[2] = {{1000, 0}, {1000, 0}};
    int fd = make_file("times", 3 * PAGE);
    char *p = map(3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    futimens(fd, old);
    p[0] = 1;
    show_moved("first write", fd);
    futimens(fd, old);
    show_moved("set back", fd);
    p[PAGE] = 1;
    show_moved("another page", fd);
    p = map(3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    futimens(fd, old);
    p[2 * PAGE] = 1;
    show_moved("private", fd);
    close(fd);
}

/* ---- Segments ---- */

struct program {
    Elf32_Ehdr h;
    Elf32_Phdr p[3];
    unsigned char code[64];
};

/* exit(the byte at 0x10002000), seen through two segments that overlap. */
static void make_program(const char *name, unsigned char class)
{
    static const unsigned char code[] = {0x0f, 0xb6, 0x1d, 0x00, 0x20, 0x00, 0x10, /* movzbl, ebx */
                                         0xb8, 1,    0,    0,    0,    0xcd, 0x80};
    struct program e = {.h = {.e_ident = {0x7f, 'E', 'L', 'F', class, 1, 1},
                              .e_type = ET_EXEC,
                              .e_machine = EM_386,
                              .e_version = 1,
                              .e_entry = 0x10000000 + offsetof(struct program, code),
                              .e_phoff = offsetof(struct program, p),
                              .e_ehsize = sizeof(Elf32_Ehdr),
                              .e_phentsize = sizeof(Elf32_Phdr),
                              .e_phnum = 3}};
    int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0755);
    char page[PAGE];

    memcpy(e.code, code, sizeof(code));
    e.p[0] = (Elf32_Phdr){PT_LOAD, 0, 0x10000000, 0, PAGE, PAGE, 5, PAGE};
    e.p[1] = (Elf32_Phdr){PT_LOAD, PAGE, 0x10001000, 0, 3 * PAGE, 3 * PAGE, 4, PAGE};
    e.p[2] = (Elf32_Phdr){PT_LOAD, 4 * PAGE, 0x10002000, 0, PAGE, PAGE, 4, PAGE};
    for (int i = 0; i < 5; i++) {
        memset(page, 10 + i, PAGE);
        if (i == 0)
            memcpy(page, &e, sizeof(e));
        DIE_UNLESS(write(fd, page, PAGE) == PAGE);
    }
    close(fd);
}

static void run(void *name)
{
    execl(name, name, NULL);
    printf("%s: %s\n", (char *)name, error_name(errno));
}

static void segments(void)
{
    make_program("./overlap", 1);
    in_child("overlapping segments", run, "./overlap");
    make_program("./class", 77);
    in_child("a class of its own", run, "./class");
}

/* ---- select, and some that ask for little ---- */

static void far_descriptors(void)
{
    unsigned char bits[8192] = {0};
    struct timeval at_once = {0, 0};

    bits[20000 / 8] |= 1 << 20000 % 8;
    SHOW(syscall(SYS__newselect, 20001, bits, NULL, NULL, &at_once));
    SHOW(syscall(SYS__newselect, 65536, bits, NULL, NULL, &at_once));
    SHOW(syscall(SYS__newselect, -1, bits, NULL, NULL, &at_once));
    bits[70 / 8] |= 1 << 70 % 8;
    dup2(0, 200);
    SHOW(syscall(SYS__newselect, 65536, bits, NULL, NULL, &at_once));
    close(200);
}

static void limits(void)
{
    struct rlimit l = {1048577, 1048577};
    struct statvfs v;

    SHOW(setrlimit(RLIMIT_NOFILE, &l));
    l = (struct rlimit){2, 1};
    SHOW(setrlimit(RLIMIT_NOFILE, &l));
    SHOW(syscall(SYS_arch_prctl, 0x1002, 0));
    SHOW(syscall(SYS_arch_prctl, 0x1011, 0));
    SHOW(syscall(SYS_arch_prctl, 0x3001, 0));
    SHOW(personality(0xffffffff));
    SHOW(personality(0x12345678));
    SHOW(personality(0));
    SHOW(statvfs("/", &v));
    printf("files %d\n", v.f_files > 0 && v.f_ffree > 0 && v.f_files >= v.f_ffree);
}

static void ranges(void)
{
    int fd = make_file("ranges", PAGE), null = open("/dev/null", O_RDWR), p[2];

    DIE_UNLESS(pipe(p) == 0);
    SHOW(sync_file_range(null, 0, 0, 0));
    SHOW(sync_file_range(p[0], 0, 0, 0));
    SHOW(sync_file_range(fd, 0, 0, 7));
    SHOW(sync_file_range(fd, -1, 0, 0));
    SHOW(sync_file_range(fd, 0, -1, 0));
    SHOW(sync_file_range(fd, 0, 0, 8));
}

int main(void)
{
    catch_faults();
    low_addresses();
    order_of_errors();
    times();
    segments();
    far_descriptors();
    limits();
    ranges();
    return 0;
}
