/*
 * Demand loading of a program. The subject is made here: an ELF file of 64 pages of code whose only
 * instructions read a byte of page 32 and wait.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "user/vmlab/lab.h"

#define BASE    0x08050000u
#define PAGES   64u
#define TOUCHED 32u
#define CODE_AT 0x80u
#define AROUND  16u /* the kernel maps what is in memory of the 16 pages around a fault */
#define PATH    "/tmp/vmlab.program"

/* An ELF header and its one program header. [System V ABI, i386 supplement] */
static const struct {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version, entry, phoff, shoff, flags;
    uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
    uint32_t p_type, p_offset, p_vaddr, p_paddr, p_filesz, p_memsz, p_flags, p_align;
} header = {
    .ident = {0x7f, 'E', 'L', 'F', 1, 1, 1},
    .type = 2,    /* executable */
    .machine = 3, /* i386 */
    .version = 1,
    .entry = BASE + CODE_AT,
    .phoff = 52,
    .ehsize = 52,
    .phentsize = 32,
    .phnum = 1,
    .p_type = 1, /* to be loaded: the whole file, at BASE */
    .p_vaddr = BASE,
    .p_filesz = PAGES * PAGE,
    .p_memsz = PAGES * PAGE,
    .p_flags = 5, /* read and execute */
    .p_align = PAGE,
};

static const uint8_t code[] = {
    0xa1, 0,    0, 0, 0, /* mov eax, [the touched page] */
    0xb8, 29,   0, 0, 0, /* mov eax, pause */
    0xcd, 0x80,          /* int 0x80 */
    0xeb, 0xf7,          /* jmp to the second mov */
};

static void make_program(void)
{
    static uint8_t page[PAGE];
    uint32_t touched = BASE + TOUCHED * PAGE;
    int fd = open(PATH, O_WRONLY | O_CREAT | O_TRUNC, 0700);

    if (fd < 0)
        give_up(PATH);
    memcpy(page, &header, sizeof(header));
    memcpy(page + CODE_AT, code, sizeof(code));
    memcpy(page + CODE_AT + 1, &touched, sizeof(touched));
    for (unsigned i = 0; i < PAGES; i++) {
        if (write(fd, page, PAGE) != PAGE)
            give_up(PATH);
        memset(page, (int)i, PAGE);
    }
    close(fd);
}

/* Pages of the program in the aligned group of AROUND that page belongs to. */
static unsigned group(unsigned page)
{
    uint32_t first = (BASE / PAGE + page) / AROUND * AROUND, end = first + AROUND;

    if (first < BASE / PAGE)
        first = BASE / PAGE;
    return end - first;
}

static bool has_touched(pid_t pid)
{
    struct look l;

    look(pid, (void *)(BASE + TOUCHED * PAGE), 1, &l);
    return l.present;
}

void lab_program(void)
{
    struct timespec pause = {.tv_nsec = 5000000};
    pid_t pid;

    make_program();
    pid = fork();
    if (pid == 0) {
        char *argv[] = {PATH, NULL};

        execve(PATH, argv, argv + 1);
        _exit(127);
    }
    while (!has_touched(pid))
        nanosleep(&pause, NULL);
    say("A program of 64 pages is running. It has executed in its first page and read a byte of");
    say("page 32. exec() loaded nothing: it only mapped the file. Each of the two faults mapped");
    say("its page, and with it those of the 16 pages around that were in memory already.");
    picture("Its code, as the page table has it:", pid, (void *)BASE, PAGES);
    check("pages in the program", PAGES, 64);
    check("pages mapped", frames_of(pid, (void *)BASE, PAGES), group(0) + group(TOUCHED));
    check("page 16, which it never used, is mapped", frame_at(pid, (void *)(BASE + 16 * PAGE)) != 0,
          0);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    unlink(PATH);
}
