/* Copies of many lengths between places that lie askew, are lazy, or end in the middle: what
 * arrives, how much, and that a program's vector registers are its own through them and through
 * page faults. */
#include "guest.h"
#include <elf.h>
#include <stddef.h>

#define RW    (PROT_READ | PROT_WRITE)
#define PAGES 20
#define SIZE  (PAGES * PAGE)

static unsigned char want[SIZE];
static int file, ends[2];

static void make_pattern(void)
{
    uint32_t x = 1;

    for (int i = 0; i < SIZE; i++) {
        x = x * 1664525 + 1013904223;
        want[i] = (unsigned char)(x >> 24) | 1;
    }
    file = memfd_create("wide", 0);
    DIE_UNLESS(file >= 0 && write(file, want, SIZE) == SIZE);
    DIE_UNLESS(pipe(ends) == 0 && fcntl(ends[1], F_SETPIPE_SZ, 1 << 17) > 0);
}

/* All of [p, p + SIZE) is zero, but for n bytes of the file's from offset on, at at. */
static bool is_there(const unsigned char *p, size_t at, size_t offset, size_t n)
{
    for (size_t i = 0; i < SIZE; i++) {
        bool inside = i >= at && i - at < n;
        if (p[i] != (inside ? want[offset + i - at] : 0))
            return false;
    }
    return true;
}

/* From the file to fresh memory, from there through a pipe to more of it. */
static bool goes_well(size_t at, size_t offset, size_t n)
{
    unsigned char *a = (void *)map_anon(PAGES), *b = (void *)map_anon(PAGES);
    bool well = pread(file, a + at, n, offset) == (long)n && is_there(a, at, offset, n) &&
                write(ends[1], a + at, n) == (long)n &&
                read(ends[0], b + offset % 64, n) == (long)n && is_there(b, offset % 64, offset, n);

    munmap(a, SIZE);
    munmap(b, SIZE);
    return well;
}

static void lengths(void)
{
    static const size_t n[] = {1, 127, 511, 512, 513, 640, 4095, 4096, 4097, 8192, 12289, 60000};
    static const size_t at[] = {0, 1, 4, 15, 16, 3900, 4095};
    int wrong = 0;

    for (unsigned i = 0; i < sizeof(n) / sizeof(*n); i++)
        for (unsigned j = 0; j < sizeof(at) / sizeof(*at); j++)
            wrong += !goes_well(at[j], 0, n[i]) + !goes_well(0, at[j], n[i]) +
                     !goes_well(at[j], 4095, n[i]);
    printf("lengths that went wrong: %d\n", wrong);
}

/* Three pages can be touched, the next cannot. Linux may leave out some of the last bytes that it
 * could copy, and calls none of them a failure. */
static void ends_in_the_middle(int prot, const char *what)
{
    unsigned char *p = (void *)map_anon(PAGES);
    static const size_t back[] = {3 * PAGE, 3 * PAGE - 1, 2 * PAGE + 7, PAGE, 600, 512, 0};

    DIE_UNLESS(mprotect(p + 3 * PAGE, PAGE, prot) == 0);
    for (unsigned i = 0; i < sizeof(back) / sizeof(*back); i++) {
        long r = pread(file, p + 3 * PAGE - back[i], 5 * PAGE, 0);
        printf("%s, %zu before it: %ld%s\n", what, back[i], r - r % 64,
               r > 0 && memcmp(p + 3 * PAGE - back[i], want, r) ? ", wrong" : "");
    }
    munmap(p, SIZE);
}

/* ---- Zeros ---- */

/* n bytes of /dev/zero at at: those and no others. */
static bool zeros_go_well(unsigned char *p, int zero, size_t at, size_t n)
{
    memset(p, 0xaa, SIZE);
    if (read(zero, p + at, n) != (long)n)
        return false;
    for (size_t i = 0; i < SIZE; i++)
        if (p[i] != (i >= at && i - at < n ? 0 : 0xaa))
            return false;
    return true;
}

static void zeros(int zero)
{
    static const size_t n[] = {1, 255, 511, 512, 513, 768, 4095, 4096, 4097, 12289, 60000};
    static const size_t at[] = {0, 1, 4, 15, 3900, 4095}, back[] = {3 * PAGE, 2 * PAGE + 7, 600, 0};
    unsigned char *p = (void *)map_anon(PAGES);
    int wrong = 0;

    for (unsigned i = 0; i < sizeof(n) / sizeof(*n); i++)
        for (unsigned j = 0; j < sizeof(at) / sizeof(*at); j++)
            wrong += !zeros_go_well(p, zero, at[j], n[i]);
    printf("zeros that went wrong: %d\n", wrong);
    DIE_UNLESS(mprotect(p + 3 * PAGE, PAGE, PROT_NONE) == 0);
    for (unsigned i = 0; i < sizeof(back) / sizeof(*back); i++) {
        long r = read(zero, p + 3 * PAGE - back[i], 5 * PAGE);
        printf("zeros, %zu before what has no access: %ld\n", back[i], r - r % 64);
    }
    munmap(p, SIZE);
}

/* ---- Vector registers ---- */

#define EACH(what) what(0) what(1) what(2) what(3) what(4) what(5) what(6) what(7)
#define LOAD(n)    "movups 16*" #n "(%3), %%xmm" #n "\n"
#define STORE(n)   "movups %%xmm" #n ", 16*" #n "(%4)\n"

static unsigned char in[128], out[128];

static bool are_kept(void)
{
    bool same = memcmp(in, out, sizeof(in)) == 0;

    for (int i = 0; i < 128; i++)
        in[i] = (unsigned char)(in[i] * 5 + i);
    return same;
}

/* Through a call, after which others run for a while. */
static bool kept_by_call(long number, int fd, void *buf, long n)
{
    long r;

    __asm__ volatile(EACH(LOAD) "int $0x80\n"
                                "movl %5, %%eax\n"
                                "int $0x80\n" EACH(STORE)
                     : "=a"(r)
                     : "a"(number), "b"(fd), "S"(in), "D"(out), "i"(SYS_sched_yield), "c"(buf),
                       "d"(n)
                     : "memory");
    return r == 0 && are_kept();
}

/* Through a store to fresh memory. */
static bool kept_by_fault(volatile char *fresh)
{
    long r;

    __asm__ volatile(EACH(LOAD) "movb $1, (%1)\n" EACH(STORE)
                     : "=a"(r)
                     : "r"(fresh), "0"(0), "S"(in), "D"(out)
                     : "memory");
    return are_kept();
}

/* A program that uses no vector registers: reads a byte, stores to 200 fresh pages, ends. */
static void make_quiet_program(void)
{
    static const uint8_t code[] = {
        0xb8, 3,    0,    0,    0,    0x31, 0xdb, 0xb9, 0,    0x10, 0x10,
        0,    0xba, 1,    0,    0,    0,    0xcd, 0x80,                   /* read */
        0xbf, 0,    0x10, 0x10, 0,    0xb9, 200,  0,    0,    0,          /* edi, ecx */
        0xc6, 0x07, 1,    0x81, 0xc7, 0,    0x10, 0,    0,    0xe2, 0xf5, /* stores */
        0xb8, 1,    0,    0,    0,    0x31, 0xdb, 0xcd, 0x80,             /* exit(0) */
    };
    static struct {
        Elf32_Ehdr eh;
        Elf32_Phdr ph[2];
        uint8_t code[sizeof(code)];
    } image = {
        .eh = {.e_ident = "\177ELF\1\1\1",
               .e_type = ET_EXEC,
               .e_machine = EM_386,
               .e_version = 1,
               .e_ehsize = sizeof(Elf32_Ehdr),
               .e_phentsize = sizeof(Elf32_Phdr),
               .e_phnum = 2},
        .ph = {{.p_type = PT_LOAD, .p_vaddr = 0x100000, .p_flags = PF_R | PF_X, .p_align = PAGE},
               {.p_type = PT_LOAD,
                .p_vaddr = 0x101000,
                .p_memsz = 200 * PAGE,
                .p_flags = PF_R | PF_W,
                .p_align = PAGE}},
    };
    int fd = open("quiet", O_CREAT | O_WRONLY, 0700);

    memcpy(image.code, code, sizeof(code));
    image.eh.e_entry = 0x100000 + offsetof(typeof(image), code);
    image.eh.e_phoff = offsetof(typeof(image), ph);
    image.ph[0].p_filesz = image.ph[0].p_memsz = sizeof(image);
    DIE_UNLESS(write(fd, &image, sizeof(image)) == sizeof(image) && close(fd) == 0);
}

/* While such a one has the processor, and it holds our registers still. */
static bool kept_by_others(void)
{
    int go[2], status;
    bool same = true;
    pid_t pid;

    DIE_UNLESS(pipe(go) == 0 && (pid = fork()) >= 0);
    if (pid == 0) {
        dup2(go[0], 0);
        execl("./quiet", "quiet", NULL);
        _exit(1);
    }
    usleep(50000); /* it waits for its byte */
    same = kept_by_call(SYS_write, go[1], "x", 1);
    for (int i = 0; i < 20; i++)
        same &= kept_by_call(SYS_getppid, 0, NULL, 0);
    DIE_UNLESS(waitpid(pid, &status, 0) == pid && status == 0);
    close(go[0]);
    close(go[1]);
    return same;
}

static void registers(int zero)
{
    char *fresh = map_anon(PAGES);
    bool calls = true, faults = true, others = true;

    for (int i = 0; i < PAGES; i++) {
        faults &= kept_by_fault(fresh + i * PAGE);
        lseek(file, 0, SEEK_SET);
        calls &= kept_by_call(SYS_read, file, fresh, SIZE / 2);
        calls &= kept_by_call(SYS_read, zero, fresh, SIZE / 2);
        calls &= kept_by_call(SYS_write, ends[1], fresh, PAGE * 2);
        calls &= kept_by_call(SYS_read, ends[0], fresh, PAGE * 2);
    }
    make_quiet_program();
    for (int i = 0; i < 5; i++)
        others &= kept_by_others();
    printf("vector registers through faults: %s\n", faults ? "kept" : "lost");
    printf("through calls: %s\n", calls ? "kept" : "lost");
    printf("while others have faults: %s\n", others ? "kept" : "lost");
}

int main(void)
{
    int zero = open("/dev/zero", O_RDONLY);

    DIE_UNLESS(zero >= 0);
    make_pattern();
    lengths();
    ends_in_the_middle(PROT_NONE, "no access");
    ends_in_the_middle(PROT_READ, "read-only");
    zeros(zero);
    registers(zero);
    return 0;
}
