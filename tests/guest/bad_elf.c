/*
 * A small program in a file, broken in one way at a time: execve answers with an error and the
 * caller lives, or the program starts where it is still sound.
 */
#include <elf.h>
#include <stddef.h>
#include "guest.h"

#define BASE 0x10000000u

struct image {
    Elf32_Ehdr eh;
    Elf32_Phdr ph[3];
    unsigned char code[64];
    char data[PAGE];
};

/* mov ebx, 42; mov eax, 1 (exit); int 0x80 */
static const unsigned char exit_42[] = {0xbb, 42, 0, 0, 0, 0xb8, 1, 0, 0, 0, 0xcd, 0x80};

static struct image sound(void)
{
    struct image m = {.eh = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, EV_CURRENT},
                             .e_type = ET_EXEC,
                             .e_machine = EM_386,
                             .e_version = EV_CURRENT,
                             .e_entry = BASE + offsetof(struct image, code),
                             .e_phoff = offsetof(struct image, ph),
                             .e_ehsize = sizeof(Elf32_Ehdr),
                             .e_phentsize = sizeof(Elf32_Phdr),
                             .e_phnum = 1},
                      .ph = {{.p_type = PT_LOAD,
                              .p_vaddr = BASE,
                              .p_filesz = sizeof(struct image),
                              .p_memsz = sizeof(struct image),
                              .p_flags = PF_R | PF_W | PF_X,
                              .p_align = PAGE}}};

    memcpy(m.code, exit_42, sizeof(exit_42));
    return m;
}

/* The exit status is the error; a sound program ends with 42. */
static void start(char *path)
{
    char *const args[] = {path, NULL}, *const env[] = {NULL};

    execve(path, args, env);
    _exit(errno);
}

static void try_size(const char *what, const struct image *m, size_t size, bool may_start)
{
    int fd = open("broken", O_WRONLY | O_CREAT | O_TRUNC, 0700), error = 0, status;
    pid_t pid;

    DIE_UNLESS(fd >= 0 && write(fd, m, size) == (ssize_t)size);
    close(fd);
    pid = fork();
    if (pid == 0)
        start("broken");
    DIE_UNLESS(waitpid(pid, &status, 0) == pid);
    unlink("broken");
    if (WIFEXITED(status) && WEXITSTATUS(status) != 42)
        error = WEXITSTATUS(status);
    if (!may_start)
        printf("%s: %s\n", what, error || WIFSIGNALED(status) ? "refused" : "runs");
    else if (error)
        printf("%s: %s\n", what, error_name(error));
    else
        print_status(what, status);
}

#define TRY_IMAGE(what, change, may_start)                                                         \
    do {                                                                                           \
        struct image m = sound();                                                                  \
        change;                                                                                    \
        try_size(what, &m, sizeof(m), may_start);                                                  \
    } while (0)

#define TRY_WITH(change) TRY_IMAGE(#change, change, true)
/* Linux finds out only when the caller is gone, and kills; an error is as good. */
#define REFUSED(change) TRY_IMAGE(#change, change, false)

static void header(void)
{
    TRY_WITH((void)m);
    TRY_WITH(m.eh.e_ident[0] = 0);
    TRY_WITH(m.eh.e_ident[3] = 'X');
    TRY_WITH(m.eh.e_type = ET_REL);
    TRY_WITH(m.eh.e_type = ET_CORE);
    TRY_WITH(m.eh.e_type = 0xffff);
    TRY_WITH(m.eh.e_machine = EM_ARM);
    TRY_WITH(m.eh.e_machine = 0);
    TRY_WITH(m.eh.e_phnum = 0);
    TRY_WITH(m.eh.e_phentsize = 0);
    TRY_WITH(m.eh.e_phentsize = sizeof(Elf32_Phdr) + 1);
    TRY_WITH(m.eh.e_phentsize = sizeof(Elf64_Phdr));
    TRY_WITH(m.eh.e_phoff = sizeof(m));
    TRY_WITH(m.eh.e_phoff = sizeof(m) - 8);
    TRY_WITH(m.eh.e_phoff = 0xfffffff0);
    TRY_WITH(m.eh.e_phoff = 0x7ffffff0);
    TRY_WITH(m.eh.e_phnum = 0xffff);
    TRY_WITH(m.eh.e_phnum = 2048);
    TRY_WITH(m.eh.e_version = 99);
    TRY_WITH(m.eh.e_shoff = 0xffffffff; m.eh.e_shnum = 0xffff);
    REFUSED(m.ph[0].p_type = PT_NULL);
}

static void truncated(void)
{
    struct image m = sound();

    try_size("4 bytes", &m, 4, true);
    try_size("half a header", &m, sizeof(m.eh) / 2, true);
    try_size("header only", &m, sizeof(m.eh), true);
    try_size("half a program header", &m, sizeof(m.eh) + 16, true);
}

static void segments(void)
{
    REFUSED(m.ph[0].p_filesz = 2 * sizeof(m));
    TRY_WITH(m.ph[0].p_memsz = sizeof(m) + 10 * PAGE);
    REFUSED(m.ph[0].p_vaddr += 1);
    REFUSED(m.ph[0].p_vaddr += 0x800);
    REFUSED(m.ph[0].p_offset = 0x800);
    TRY_WITH(m.ph[0].p_align = 0);
    TRY_WITH(m.ph[0].p_align = 3);
    TRY_WITH(m.ph[0].p_flags = PF_R | PF_X);
    TRY_WITH(m.ph[0].p_flags = 0);
    TRY_WITH(m.eh.e_entry = 0);
    REFUSED(m.eh.e_entry = 0xfffffff0);
    TRY_WITH(m.eh.e_entry = BASE + 0x100000);
}

static void interpreters(void)
{
    TRY_WITH(m.eh.e_phnum = 2; m.ph[1] = m.ph[0]; m.ph[0].p_type = PT_INTERP; m.ph[0].p_filesz = 0);
    TRY_WITH(m.eh.e_phnum = 2; m.ph[1] = m.ph[0]; m.ph[0].p_type = PT_INTERP; m.ph[0].p_filesz = 1);
    TRY_WITH(m.eh.e_phnum = 2; m.ph[1] = m.ph[0]; m.ph[0].p_type = PT_INTERP;
             m.ph[0].p_filesz = 5000);
    TRY_WITH(m.eh.e_phnum = 2; m.ph[1] = m.ph[0]; m.ph[0].p_type = PT_INTERP; m.ph[0].p_filesz = 4;
             m.ph[0].p_offset = 0xfffffff0);
    TRY_WITH(m.eh.e_phnum = 2; m.ph[1] = m.ph[0]; m.ph[0].p_type = PT_INTERP; m.ph[0].p_filesz = 9;
             m.ph[0].p_offset = offsetof(struct image, data); strcpy(m.data, "/nowhere"));
    TRY_WITH(m.eh.e_phnum = 2; m.ph[1] = m.ph[0]; m.ph[0].p_type = PT_INTERP; m.ph[0].p_filesz = 8;
             m.ph[0].p_offset = offsetof(struct image, data); strcpy(m.data, "/nowhere"));
}

/* Where no program may be, and sizes that do not add up. */
static void impossible(void)
{
    REFUSED(m.ph[0].p_vaddr = 0xc0000000; m.eh.e_entry = 0xc0000100);
    REFUSED(m.ph[0].p_vaddr = 0xfffff000; m.eh.e_entry = 0xfffff100);
    REFUSED(m.ph[0].p_memsz = 0xf0000000);
    REFUSED(m.ph[0].p_memsz = 0xffffffff);
    REFUSED(m.ph[0].p_memsz = 100);
    REFUSED(m.ph[0].p_filesz = 0xffffffff; m.ph[0].p_memsz = 0xffffffff);
    REFUSED(m.ph[0].p_offset = 0xfffff000);
    REFUSED(m.eh.e_phnum = 2; m.ph[1] = m.ph[0]; m.ph[1].p_vaddr = 0xffffe000);
    REFUSED(m.eh.e_phnum = 2; m.ph[1] = m.ph[0]; m.ph[1].p_vaddr = 0xfffffffc);
}

/* Two segments: apart, in one page of the file, the second all zeros. */
static void two_segments(void)
{
    TRY_WITH(m.eh.e_phnum = 2; m.ph[1] = m.ph[0]; m.ph[1].p_vaddr = BASE + 0x10000);
    TRY_WITH(m.eh.e_phnum = 2; m.ph[1] = m.ph[0]; m.ph[1].p_vaddr = BASE + 0x10000;
             m.eh.e_entry += 0x10000);
    TRY_WITH(m.eh.e_phnum = 2; m.ph[1] = m.ph[0]; m.ph[1].p_vaddr = BASE + 0x10000;
             m.ph[1].p_filesz = 0; m.ph[1].p_memsz = 0x100000);
    TRY_WITH(m.eh.e_phnum = 2; m.ph[1] = m.ph[0]; m.ph[1].p_type = PT_GNU_STACK);
    TRY_WITH(m.eh.e_phnum = 2; m.ph[1] = m.ph[0]; m.ph[1].p_type = 0x7abcdef);
}

int main(void)
{
    header();
    truncated();
    segments();
    interpreters();
    two_segments();
    impossible();
    return 0;
}
