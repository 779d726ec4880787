/*
 * vmlab: experiments that show the virtual memory at work. Run one by name, several, or all.
 */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "user/vmlab/lab.h"

const struct experiment experiments[] = {
    {"stack", "a stack gets its pages when they are touched", false, lab_stack},
    {"heap", "sbrk promises memory, touching delivers it", false, lab_heap},
    {"bss", "a large array that is never used costs nothing", false, lab_bss},
    {"zero", "all untouched memory that is read is one frame of zeros", false, lab_zero},
    {"program", "a program's pages come when they are used", false, lab_program},
    {"cow", "fork copies nothing; the first write copies, the last owner does not", false, lab_cow},
    {"exercise", "how many frames do parent and child need?", false, lab_exercise},
    {"shared", "MAP_SHARED against MAP_PRIVATE", false, lab_shared},
    {"read", "read() and mmap use the same frame", false, lab_read},
    {"dirty", "the hardware remembers which pages were written", false, lab_dirty},
    {"guard", "a page nobody may touch catches the overrun", false, lab_guard},
    {"major", "a minor fault finds the page in memory, a major one fetches it", true, lab_major},
    {"tlb", "what would show if a TLB entry were not flushed", false, lab_tlb},
    {"shootdown", "what another processor remembers must be forgotten, too", false, lab_shootdown},
    {"dontneed", "memory given back is gone, and comes again as zeros", false, lab_dontneed},
    {"served", "a program that serves the faults of another's memory", false, lab_served},
    {"move", "mremap moves pages, not bytes", false, lab_move},
    {"walk", "from an address to a frame, through both levels of tables", true, lab_walk},
    {"kalloc", "the list of free frames lies in the free frames", true, lab_kalloc},
    {"chance", "the second chance: what was used stays, what was not goes", true, lab_chance},
    {"swap", "a page's life: frame, slot, both, and frame again", true, lab_swap},
    {"scan", "a scan of twice the memory leaves a working set alone", true, lab_scan},
    {"written", "from the dirty bit to the disk", true, lab_written},
    {"crash", "what the log says of a process that its own fault kills", true, lab_crash},
    {NULL, NULL, false, NULL},
};

static const char usage[] =
    "usage: vmlab [--list] [all | EXPERIMENT...]\n"
    "\n"
    "Each experiment says what it does, does it, shows the page-table entries before and after,\n"
    "and checks what it measured. It needs root, to see frame numbers. The exit status is 0 when\n"
    "every figure was right.\n";

static bool on_faultline(void)
{
    return access("/proc/faults", F_OK) == 0;
}

static void list(void)
{
    for (const struct experiment *e = experiments; e->name; e++)
        printf("%-10s %s%s\n", e->name, e->title, e->ours ? " (Faultline only)" : "");
}

static const struct experiment *find(const char *name)
{
    for (const struct experiment *e = experiments; e->name; e++)
        if (strcmp(e->name, name) == 0)
            return e;
    return NULL;
}

/* In a process of its own, so that one experiment leaves the memory of the next alone. */
static int run(const struct experiment *e)
{
    int status = 0;

    printf("%s: %s\n", e->name, e->title);
    if (e->ours && !on_faultline()) {
        printf("  left out: it needs what only Faultline has\n\n");
        return 0;
    }
    fflush(stdout);
    if (fork() == 0) {
        e->run();
        end_paragraph();
        fflush(stdout);
        _exit(failures != 0);
    }
    wait(&status);
    if (!WIFEXITED(status))
        printf("  it was killed by signal %d\n", WTERMSIG(status));
    putchar('\n');
    return status != 0;
}

int main(int argc, char **argv)
{
    int ran = 0, bad = 0;

    if (argc == 1 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        fputs(usage, stdout);
        list();
        return argc == 1 ? 2 : 0;
    }
    if (strcmp(argv[1], "--list") == 0) {
        list();
        return 0;
    }
    for (int i = 1; i < argc; i++) {
        bool all = strcmp(argv[i], "all") == 0;

        if (!all && !find(argv[i])) {
            fprintf(stderr, "vmlab: no experiment is called %s; see vmlab --list\n", argv[i]);
            return 2;
        }
        for (const struct experiment *e = experiments; e->name; e++) {
            if (!all && strcmp(e->name, argv[i]) != 0)
                continue;
            bad += run(e);
            ran++;
        }
    }
    printf("%d experiment%s, %d with a wrong figure\n", ran, ran == 1 ? "" : "s", bad);
    return bad != 0;
}
