/* What exec makes of a program: its data, its zeros, its arguments and its auxiliary vector. */
#include <elf.h>
#include <sys/auxv.h>
#include "guest.h"

static int initialised[5000] = {1, 2, 3, [4999] = 5000};
static const char constant[10000] = {[9999] = 'k'};
static char zeros[100000];
static char odd_tail[3] = "od";
char *volatile pointer_in_data = odd_tail;

static void sections(void)
{
    catch_faults();
    printf("data: %d %d %d\n", initialised[0], initialised[2], initialised[4999]);
    printf("rodata: %c\n", constant[9999]);
    printf("bss is zero: %d\n", all_bytes(zeros, sizeof(zeros), 0));
    memset(zeros, 'b', sizeof(zeros));
    printf("bss is writable: %d\n", all_bytes(zeros, sizeof(zeros), 'b'));
    printf("relocated: %s\n", pointer_in_data);
    PROBE_WRITE((char *)constant);
}

static void arguments(int argc, char **argv, char **envp)
{
    printf("argc %d, argv ends: %d\n", argc, argv[argc] == NULL);
    for (int i = 1; i < argc; i++)
        printf("  %s\n", argv[i]);
    for (char **e = envp; *e; e++)
        printf("  env %s\n", *e);
    printf("stack is 16-byte aligned at entry: %d\n", ((uintptr_t)(argv - 1) & 15) == 0);
}

static void auxiliary(void)
{
    const Elf32_Ehdr *header = (const void *)(getauxval(AT_PHDR) & -PAGE);
    const Elf32_Phdr *ph = (const void *)getauxval(AT_PHDR);
    unsigned char *random = (void *)getauxval(AT_RANDOM);
    bool any = false;

    printf("phent %lu phnum %d\n", getauxval(AT_PHENT), getauxval(AT_PHNUM) == header->e_phnum);
    printf("pagesz %lu clktck %lu\n", getauxval(AT_PAGESZ), getauxval(AT_CLKTCK));
    printf("entry %d\n", getauxval(AT_ENTRY) == header->e_entry);
    printf("base %lu\n", getauxval(AT_BASE));
    printf("ids %lu %lu %lu %lu secure %lu\n", getauxval(AT_UID), getauxval(AT_EUID),
           getauxval(AT_GID), getauxval(AT_EGID), getauxval(AT_SECURE));
    printf("phdr is a segment table: %d\n", ph[0].p_type == PT_LOAD || ph[0].p_type == PT_PHDR);
    for (int i = 0; i < 16; i++)
        any |= random[i] != 0;
    printf("random: %d\n", any);
    printf("hwcap has fpu: %d\n", (int)(getauxval(AT_HWCAP) & 1));
    printf("platform starts with i: %d\n", *(char *)getauxval(AT_PLATFORM) == 'i');
    printf("execfn ends in image: %d\n", strstr((char *)getauxval(AT_EXECFN), "image") != NULL);
}

/* What exec keeps and what it resets. */
static void survivors(void)
{
    sigset_t set;
    struct sigaction act;

    printf("fd 9 (kept): %d\n", fcntl(9, F_GETFD));
    printf("fd 8 (close on exec): %s\n", fcntl(8, F_GETFD) < 0 ? error_name(errno) : "open");
    sigprocmask(SIG_BLOCK, NULL, &set);
    printf("USR1 blocked: %d\n", sigismember(&set, SIGUSR1));
    sigaction(SIGUSR2, NULL, &act);
    printf("USR2 ignored: %d\n", act.sa_handler == SIG_IGN);
    sigaction(SIGHUP, NULL, &act);
    printf("HUP default again: %d\n", act.sa_handler == SIG_DFL);
}

static void prepare(void)
{
    sigset_t set;

    dup2(1, 9);
    dup2(1, 8);
    fcntl(8, F_SETFD, FD_CLOEXEC);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGUSR2, SIG_IGN);
    signal(SIGHUP, exit);
}

int main(int argc, char **argv, char **envp)
{
    char *const args[] = {"image", "again", "", "with spaces", NULL};
    char *const env[] = {"ONE=1", "EMPTY=", NULL};

    if (argc > 1) {
        arguments(argc, argv, envp);
        sections();
        survivors();
        return 5;
    }
    sections();
    auxiliary();
    prepare();
    execve("/proc/self/exe", args, env);
    printf("exec: %s\n", error_name(errno));
    return 1;
}
