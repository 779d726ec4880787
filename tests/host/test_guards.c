/*
 * Stray writes to what links free memory and lists together are found when the link is next
 * followed: debug builds guard each. The victim is a process of its own, which has to die of it.
 */
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tests/host/program.h"
#include "libc/list.h"
#include "mm/mm.h"
#include "tests/host/check.h"

#define RAM (4u << 20)

/* Whether fn ends in a failed assertion. */
static bool dies(void (*fn)(void))
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        fclose(stderr);
        machine_with_mm(RAM);
        fn();
        _exit(0);
    }
    return waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void nothing(void)
{
    kfree(kalloc());
    kmfree(kmalloc(24));
}

static void link_of_a_free_frame(void)
{
    uint32_t *page = kalloc();

    kfree(page);
    page[0] ^= PAGE_SIZE;
    (void)kalloc();
}

static void rest_of_a_free_frame(void)
{
    uint32_t *page = kalloc();

    kfree(page);
    page[PAGE_SIZE / 8] = 0;
    (void)kalloc();
}

static void link_of_a_free_object(void)
{
    uint16_t *first = kmalloc(24), *second = kmalloc(24);

    kmfree(second);
    kmfree(first);
    *first ^= 5;
    (void)kmalloc(24);
    (void)kmalloc(24);
}

static void list_that_skips_a_node(void)
{
    struct list head = LIST_INIT(head), a, b, c;

    list_add_tail(&head, &a);
    list_add_tail(&head, &b);
    list_add_tail(&head, &c);
    a.next = &c;
    list_remove(&b);
}

TEST(a_damaged_link_is_found)
{
    EXPECT(!dies(nothing));
    EXPECT(dies(link_of_a_free_frame));
    EXPECT(dies(rest_of_a_free_frame));
    EXPECT(dies(link_of_a_free_object));
    EXPECT(dies(list_that_skips_a_node));
}

int main(void)
{
    return run_tests(NULL, NULL);
}
