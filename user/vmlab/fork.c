/* fork: both cases of copy-on-write, and the exercise. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include "user/vmlab/lab.h"

/* ---- cow ---- */

enum { CHILD_READS, CHILD_WRITES, CHILD_COUNTS };

struct cow {
    volatile char *page;
    long faults; /* in a shared page: what the child measured */
};

static void cow_step(int number, void *arg)
{
    struct cow *c = arg;
    long before = minor_faults();

    if (number == CHILD_READS)
        (void)c->page[0];
    if (number == CHILD_WRITES) {
        c->page[0] = 'c';
        c->faults = minor_faults() - before;
    }
}

void lab_cow(void)
{
    struct cow *c = (struct cow *)map_pages(1, PROT_READ | PROT_WRITE, MAP_SHARED, -1);
    unsigned frame, copy;
    struct child child;
    long before;

    c->page = map_pages(1, PROT_READ | PROT_WRITE, MAP_PRIVATE, -1);
    c->page[0] = 'p';
    frame = frame_at(0, (void *)c->page);
    picture("A page that the parent has written to:", 0, (void *)c->page, 1);
    child = child_start(cow_step, c);
    child_step(&child, CHILD_READS);
    say("fork(). Nothing was copied: parent and child have the same frame, and neither may write.");
    picture("Parent:", 0, (void *)c->page, 1);
    picture("Child, after it has read the page:", child.pid, (void *)c->page, 1);
    check_that("parent and child have the same frame",
               frame_at(child.pid, (void *)c->page) == frame, true);

    child_step(&child, CHILD_WRITES);
    say("The child writes. The frame has two owners, so the fault copies it (the lecture's case "
        "1).");
    copy = frame_at(child.pid, (void *)c->page);
    picture("Child:", child.pid, (void *)c->page, 1);
    check_that("the child has another frame", copy != frame, true);
    check("faults that it took", c->faults, 1);
    check("what the parent still reads", c->page[0], 'p');

    before = minor_faults();
    c->page[0] = 'P';
    say("The parent writes. It is the last owner, so the fault only makes it writable (case 2).");
    check("faults that it took", minor_faults() - before, 1);
    check_that("the parent still has its frame", frame_at(0, (void *)c->page) == frame, true);
    picture("Parent:", 0, (void *)c->page, 1);
    child_end(&child);
}

/* ---- exercise ---- */

struct program {
    char *code, *globals, *heap, *stack;
};

enum { WRITE_SOME, READ_ALL };
enum { CODE = 2, GLOBALS = 1, HEAP = 2, STACK = 1, ALL_PAGES = CODE + GLOBALS + HEAP + STACK };

static void read_pages(const volatile char *p, unsigned pages)
{
    for (unsigned i = 0; i < pages; i++)
        (void)p[i * PAGE];
}

static void read_all(const struct program *p)
{
    read_pages(p->code, CODE);
    read_pages(p->globals, GLOBALS);
    read_pages(p->heap, HEAP);
    read_pages(p->stack, STACK);
}

static void exercise_step(int number, void *arg)
{
    struct program *p = arg;

    if (number == READ_ALL) {
        read_all(p);
        return;
    }
    for (unsigned i = 0; i < 128; i++)
        ((volatile char *)p->heap)[256 + i] = 'c';
    for (unsigned i = 0; i < 8; i++)
        ((volatile char *)p->stack)[64 + i] = 'c';
}

static unsigned collect(pid_t pid, const char *at, unsigned pages, unsigned *frames, unsigned n)
{
    for (unsigned i = 0; i < pages; i++) {
        unsigned frame = frame_at(pid, at + i * PAGE), k = 0;

        while (k < n && frames[k] != frame)
            k++;
        if (k == n && frame)
            frames[n++] = frame;
    }
    return n;
}

/* Different frames behind the pages of both processes. */
static unsigned frames_in_all(const struct program *p, pid_t child)
{
    unsigned frames[2 * ALL_PAGES], n = 0;

    for (unsigned i = 0; i < 2; i++) {
        pid_t pid = i ? child : 0;

        n = collect(pid, p->code, CODE, frames, n);
        n = collect(pid, p->globals, GLOBALS, frames, n);
        n = collect(pid, p->heap, HEAP, frames, n);
        n = collect(pid, p->stack, STACK, frames, n);
    }
    return n;
}

static void draw(const struct program *p, pid_t pid, const char *who)
{
    char title[32];

    snprintf(title, sizeof(title), "%s: heap", who);
    picture(title, pid, p->heap, HEAP);
    snprintf(title, sizeof(title), "%s: stack", who);
    picture(title, pid, p->stack, STACK);
}

void lab_exercise(void)
{
    struct program p;
    struct child child;

    p.code = map_pages(CODE, PROT_READ | PROT_EXEC, MAP_PRIVATE, scratch_file(CODE));
    p.globals = map_pages(GLOBALS, PROT_READ | PROT_WRITE, MAP_PRIVATE, -1);
    p.heap = map_pages(HEAP, PROT_READ | PROT_WRITE, MAP_PRIVATE, -1);
    p.stack = map_pages(STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE, -1);
    memset(p.globals, 'g', GLOBALS * PAGE);
    memset(p.heap, 'h', HEAP * PAGE);
    memset(p.stack, 's', STACK * PAGE);
    read_all(&p);
    say("A process has 2 pages of code, 1 of globals, 2 of heap and 1 of stack, all in memory.");
    say("It forks. The child writes an array of 128 bytes in its heap and a variable of 8 bytes");
    say("on its stack. How many frames are there when both can read everything without a fault?");
    check("frames before fork", frames_in_all(&p, 0), ALL_PAGES);
    child = child_start(exercise_step, &p);
    child_step(&child, READ_ALL);
    check("frames after fork, all pages read by both", frames_in_all(&p, child.pid), ALL_PAGES);
    child_step(&child, WRITE_SOME);
    child_step(&child, READ_ALL);
    read_all(&p);
    draw(&p, 0, "Parent");
    draw(&p, child.pid, "Child");
    say("The array lies in one page, the variable in another: two copies. Everything else, code");
    say("included, is still shared.");
    check("frames after the writes", frames_in_all(&p, child.pid), ALL_PAGES + 2);
    child_end(&child);
}
