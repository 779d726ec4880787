/* Addresses and lengths that wrap around the end of the address space, or reach into the kernel. */
#include "guest.h"

#define RW   (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

static void maps(void)
{
    char *p = map_anon(4);

    TRY(munmap(p, -PAGE));
    TRY(munmap(p, 0x80000000));
    TRY(munmap((void *)0x7ffff000, 2 * PAGE));
    TRY(munmap((void *)0x80000000, PAGE));
    TRY(mprotect(p, -PAGE, PROT_NONE));
    TRY(mprotect(p, -1, PROT_NONE));
    TRY(mprotect((void *)0x80000000, PAGE, RW));
    TRY(mprotect((void *)0x80100000, PAGE, PROT_READ | PROT_EXEC));
    TRY(mmap((void *)0x7ffff000, 2 * PAGE, RW, ANON | MAP_FIXED, -1, 0));
    TRY(mmap((void *)0x80000000, PAGE, RW, ANON | MAP_FIXED, -1, 0));
    TRY(mmap(NULL, 0x80000000, RW, ANON | MAP_NORESERVE, -1, 0));
    TRY(mmap(NULL, 0xffffffff, RW, ANON | MAP_NORESERVE, -1, 0));
    TRY(syscall(SYS_mmap2, 0, PAGE, RW, ANON, -1, 0xffffffff));
    TRY(syscall(SYS_brk, 0x80000000) == syscall(SYS_brk, 0) ? 0 : -1);
    TRY(syscall(SYS_brk, 0xffffffff) == syscall(SYS_brk, 0) ? 0 : -1);
    p[3 * PAGE] = 1;
    printf("intact: %d\n", p[3 * PAGE]);
}

static void buffers(void)
{
    int fd = make_file("f", 4 * PAGE), out = open("out", O_RDWR | O_CREAT | O_TRUNC, 0600);
    char *p = map_anon(2);
    struct iovec v[2] = {{p, 0x7fffffff}, {p, 0x7fffffff}};

    munmap(p + PAGE, PAGE);
    SHOW(pread(fd, p, 0x7fffffff, 0));
    SHOW(pread(fd, p, -1, 0));
    SHOW(pwrite(out, p, 0x7fffffff, 0));
    SHOW(pwrite(out, p, -1, 0));
    TRY(readv(fd, v, 2));
    TRY(pread(fd, (void *)0x80000000, PAGE, 0));
    TRY(pread(fd, (void *)0x7fffffff, 2, 0));
    TRY(pwrite(out, (void *)0x80100000, 16, 0));
    TRY(pread(fd, p, PAGE, -1));
    TRY(syscall(SYS_pread64, fd, p, PAGE, 0xffffffff, 0x7fffffff));
    TRY(syscall(SYS_pwrite64, out, p, PAGE, 0xffffffff, 0x7fffffff));
    TRY(syscall(SYS_ftruncate64, out, 0, 0x80000000));
    TRY(syscall(SYS_ftruncate64, out, 0xffffffff, 0x7fffffff));
    SHOW(lseek(out, 0, SEEK_END) <= PAGE);
}

static void kernel_memory(void)
{
    catch_faults();
    PROBE_READ((char *)0x80000000);
    PROBE_WRITE((char *)0x80000000);
    PROBE_READ((char *)0x80100000);
    PROBE_WRITE((char *)0x80100000);
    PROBE_READ((char *)0xfffff000);
    PROBE_WRITE((char *)0xfffffffc);
    PROBE_READ((char *)0x1000);
}

/* Ways into privilege that the CPU or the kernel must refuse. */
static void run_bytes(void *arg)
{
    unsigned char *p;

    signal(SIGSEGV, SIG_DFL);
    signal(SIGBUS, SIG_DFL);
    p = (void *)map(PAGE, RW | PROT_EXEC, ANON, -1, 0);

    memcpy(p, arg, 16);
    ((void (*)(void))p)();
    printf("came back\n");
}

static void privileged(void)
{
    in_child("hlt", run_bytes, "\xf4\xc3              ");
    in_child("cli", run_bytes, "\xfa\xc3              ");
    in_child("in al, dx", run_bytes, "\xec\xc3              ");
    in_child("mov cr3, eax", run_bytes, "\x0f\x22\xd8\xc3            ");
    in_child("lgdt", run_bytes, "\x0f\x01\x10\xc3            ");
    in_child("int 0x0e", run_bytes, "\xcd\x0e\xc3             ");
    in_child("int 0x20", run_bytes, "\xcd\x20\xc3             ");
    in_child("int3", run_bytes, "\xcc\xc3              ");
    in_child("ud2", run_bytes, "\x0f\x0b\xc3             ");
    in_child("divide by zero", run_bytes, "\x31\xc9\xf7\xf1\xc3           ");
    in_child("mov ss, 0x10", run_bytes, "\xb8\x10\0\0\0\x8e\xd0\xc3        ");
    in_child("far jump to 0x08", run_bytes, "\xea\0\0\x10\x80\x08\0\xc3        ");
    in_child("esp = 0, int 0x80", run_bytes, "\x31\xe4\xb8\x14\0\0\0\xcd\x80\x0f\x0b     ");
}

/* Set the trap and nested-task flags: they must not follow into the kernel. */
static void flags(void *arg)
{
    (void)arg;
    __asm__ volatile("pushfl\n orl $0x4000, (%%esp)\n popfl\n mov $20, %%eax\n int $0x80" ::
                         : "eax");
    printf("nested-task flag: survived\n");
    __asm__ volatile("pushfl\n orl $0x40000, (%%esp)\n popfl\n mov $20, %%eax\n int $0x80" ::
                         : "eax");
    printf("alignment-check flag: survived\n");
    __asm__ volatile("std\n mov $20, %%eax\n int $0x80\n cld" ::: "eax");
    printf("direction flag: survived\n");
}

/* With the direction flag set, the kernel's copies must still go forward. */
static void backwards(void)
{
    char *p = map_anon(4);
    int fd = make_file("g", PAGE);
    long n;

    __asm__ volatile("std\n int $0x80\n cld"
                     : "=a"(n)
                     : "a"(SYS_read), "b"((lseek(fd, 0, SEEK_SET), fd)), "c"(p + PAGE), "d"(PAGE)
                     : "memory");
    printf("read with DF set: %ld, before %d, in place %d\n", n, all_bytes(p, PAGE, 0),
           all_bytes(p + PAGE, PAGE, 'a'));
}

int main(void)
{
    maps();
    buffers();
    kernel_memory();
    privileged();
    in_child("flags", flags, NULL);
    backwards();
    return 0;
}
