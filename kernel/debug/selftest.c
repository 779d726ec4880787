/*
 * The kernel's own tests: run by the boot option selftest in the first process, before there is a
 * root. What needs a real machine and a running kernel is tested here; programs test the rest.
 * Prints a line for each test and a count, and ends the machine with a status that tells.
 */
#include "kernel/debug/selftest.h"
#include "arch/thread.h"
#include "arch/uaccess.h"
#include "fs/archive/archive.h"
#include "kernel/base/boot.h"
#include "kernel/base/log.h"
#include "kernel/thread/proc.h"
#include "kernel/machine/random.h"
#include "kernel/machine/power.h"
#include "kernel/time/time.h"
#include "libc/errno.h"
#include "libc/list.h"
#include "libc/printf.h"
#include "libc/string.h"
#include "mm/vm.h"

#define MSEC 1000000ull

static unsigned failures; /* of the test that runs */

#define CHECK(cond)                                                                                \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            failures++;                                                                            \
            klog(LOG_ERR, "selftest: line %d: not so: %s\n", __LINE__, #cond);                     \
        }                                                                                          \
    } while (0)

static uint32_t free_frames(void)
{
    struct mem_stats m;

    mm_stats(&m);
    return m.free;
}

/* ---- libc/ ---- */

static void test_list(void)
{
    struct item {
        int id;
        struct list link;
    } items[4], *i, *tmp;
    struct list head;
    int sum = 0;

    list_init(&head);
    CHECK(list_empty(&head));
    for (int n = 0; n < 4; n++) {
        items[n].id = n;
        list_add_tail(&head, &items[n].link);
    }
    CHECK(list_first_entry(&head, struct item, link)->id == 0);
    list_for_each_entry_safe (i, tmp, &head, link) {
        if (i->id % 2)
            list_remove(&i->link);
    }
    list_remove(&items[1].link);
    list_for_each_entry (i, &head, link)
        sum = sum * 10 + i->id;
    CHECK(sum == 2);
    CHECK(list_empty(&items[1].link));
}

static void test_string(void)
{
    char buf[16] = "abcdefgh";

    memmove(buf + 2, buf, 6);
    CHECK(memcmp(buf, "ababcdef", 8) == 0);
    memmove(buf, buf + 2, 6);
    CHECK(memcmp(buf, "abcdefef", 8) == 0);
    CHECK(strlcpy(buf, "0123456789abcdefgh", sizeof(buf)) == 18);
    CHECK(strcmp(buf, "0123456789abcde") == 0);
    CHECK(strstr("one two", "two") && !strstr("one two", "three"));
    CHECK(strrchr("/a/b", '/')[1] == 'b');
    buf[0] = '\x80';
    CHECK(memcmp(buf, "\x7f", 1) > 0);
    CHECK(strtoul("0x1fz", NULL, 0) == 31 && strtol("-42", NULL, 10) == -42);
}

static void test_printf(void)
{
    char buf[64], cut[4];

    snprintf(buf, sizeof(buf), "%5d|%-5s|%05x|%c|%llu|%.2s", -42, "ab", 255, 'z',
             12345678901234567890ull, "xyz");
    CHECK(strcmp(buf, "  -42|ab   |000ff|z|12345678901234567890|xy") == 0);
    CHECK(snprintf(cut, sizeof(cut), "%s", buf) == 43 && strcmp(cut, "  -") == 0);
}

/* ---- Memory ---- */

static void test_frames(void)
{
    uint32_t before = free_frames();
    char *a = kalloc(), *b = kalloc_zeroed();
    bool zero = true;

    CHECK(a && b && a != b);
    CHECK(((uintptr_t)a | (uintptr_t)b) % PAGE_SIZE == 0);
    CHECK(free_frames() == before - 2);
    for (uint32_t i = 0; i < PAGE_SIZE; i++)
        zero = zero && b[i] == 0;
    CHECK(zero);
    kfree(a);
    kfree(b);
    CHECK(free_frames() == before);
}

/* Every frame can be had once, then NULL; all come back. */
static void test_exhaustion(void)
{
    uint32_t before = free_frames(), n = 0;
    void **chain = NULL, **page;

    while ((page = kalloc())) {
        *page = chain;
        chain = page;
        n++;
    }
    CHECK(n == before);
    CHECK(free_frames() == 0);
    CHECK(!kalloc_zeroed());
    CHECK(!kmalloc(PAGE_SIZE));
    while ((page = chain)) {
        chain = *page;
        kfree(page);
    }
    CHECK(free_frames() == before);
}

static void test_kmalloc(void)
{
    static const uint16_t sizes[] = {1,   7,   8,   9,   16,   24,   33,  64,
                                     100, 128, 200, 500, 1024, 2000, 4096};
    enum { N = sizeof(sizes) / sizeof(sizes[0]) };
    uint8_t *p[N];
    bool intact = true;

    for (unsigned i = 0; i < N; i++) {
        p[i] = kmalloc(sizes[i]);
        CHECK(p[i] && (uintptr_t)p[i] % 8 == 0);
        if (p[i])
            memset(p[i], (int)i + 1, sizes[i]);
    }
    for (unsigned i = 0; i < N; i++) {
        for (unsigned j = 0; p[i] && j < sizes[i]; j++)
            intact = intact && p[i][j] == i + 1;
        kmfree(p[i]);
    }
    CHECK(intact);
    kmfree(NULL);
}

static void test_inflate(void)
{
    static const uint8_t gz[] = {
        0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0x4b, 0xcc, 0xc9, 0x51, 0x28,
        0xcf, 0x2f, 0xca, 0x56, 0x48, 0xcc, 0x4b, 0x51, 0xc8, 0xcb, 0x57, 0x28, 0xc8, 0x49, 0xac,
        0xd4, 0x51, 0x48, 0x1c, 0x71, 0xa2, 0x00, 0xc5, 0x67, 0x1c, 0x6a, 0x08, 0x01, 0x00, 0x00};
    struct archive out = {0};
    const char *why = NULL;
    char text[22];
    uint32_t used, before = free_frames();

    CHECK(gunzip(gz, sizeof(gz), &out, &used, &why) == 0);
    CHECK(used == sizeof(gz) && out.size == 12 * 22);
    archive_copy(&out, 11 * 22, text, sizeof(text));
    CHECK(memcmp(text, "all work and no play, ", 22) == 0);
    archive_free(&out);
    out = (struct archive){0};
    CHECK(gunzip(gz, sizeof(gz) - 9, &out, &used, &why) == -EINVAL && why);
    CHECK(out.size == 12 * 22); /* what came before the damage is kept */
    archive_free(&out);
    CHECK(free_frames() == before);
}

/* There is no space to fault pages into here, so every user address is bad. */
static void test_user_access(void)
{
    char byte = 'x';

    CHECK(copy_from_user(&byte, (void __user *)USER_MIN, 1) == -EFAULT);
    CHECK(copy_to_user((void __user *)(USER_TOP - 1), &byte, 1) == -EFAULT);
    CHECK(copy_to_user((void __user *)(USER_TOP - 1), &byte, 2) == -EFAULT);
    CHECK(copy_to_user((__force void __user *)&byte, "y", 1) == -EFAULT);
    CHECK(copy_from_user(&byte, (void __user *)0xfffffff0, 0x20) == -EFAULT);
    CHECK(strncpy_from_user(&byte, NULL, 1) == -EFAULT);
    CHECK(byte == 'x');
}

#define LAST_PAGE (USER_TOP - PAGE_SIZE)

static void __user *user_at(vaddr_t addr)
{
    return (void __user *)addr;
}

static void check_copies_at_border(void)
{
    static const vaddr_t beyond[] = {USER_TOP - 3, USER_TOP - 1,    USER_TOP,  USER_TOP + 1,
                                     0x80100000u,  UINT32_MAX - 3u, UINT32_MAX};
    char buf[8] = "kernel!", back[4] = "";
    uint32_t word = 7;

    CHECK(copy_to_user(user_at(USER_TOP - 4), "top", 4) == 0);
    CHECK(copy_from_user(back, user_at(USER_TOP - 4), 4) == 0 && memcmp(back, "top", 4) == 0);
    for (unsigned i = 0; i < sizeof(beyond) / sizeof(beyond[0]); i++) {
        void __user *p = user_at(beyond[i]);

        CHECK(copy_to_user(p, buf, 4) == -EFAULT && copy_from_user(buf, p, 4) == -EFAULT);
        CHECK(copy_to_user_partial(p, buf, 4) == 4 && copy_from_user_partial(buf, p, 4) == 4);
        CHECK(clear_user_partial(p, 4) == 4);
        CHECK(get_user_u32(&word, p) == -EFAULT && put_user_u32(p, 1) == -EFAULT);
    }
    CHECK(copy_from_user(buf, user_at(LAST_PAGE), UINT32_MAX) == -EFAULT);
    CHECK(copy_from_user(buf, user_at(LAST_PAGE), 0u - LAST_PAGE + 8) == -EFAULT);
    CHECK(copy_to_user((__force void __user *)buf, "x", 1) == -EFAULT);
    CHECK(memcmp(buf, "kernel!", 8) == 0 && word == 7);
    CHECK(get_user_u32(&word, user_at(USER_TOP - 4)) == 0 && memcmp(&word, "top", 4) == 0);
    CHECK(put_user_u32(user_at(USER_TOP - 4), 0x01010101) == 0);
}

/* The word before USER_TOP has no zero in it. */
static void check_strings_at_border(void)
{
    char buf[8];

    CHECK(strncpy_from_user(buf, user_at(USER_TOP - 4), 4) == -ENAMETOOLONG);
    CHECK(strncpy_from_user(buf, user_at(USER_TOP - 4), 5) == -EFAULT);
    CHECK(strncpy_from_user(buf, user_at(USER_TOP - 1), 8) == -EFAULT);
    CHECK(strncpy_from_user(buf, user_at(USER_TOP), 8) == -EFAULT);
    CHECK(strncpy_from_user(buf, (__force const char __user *)"kernel", 8) == -EFAULT);
    CHECK(strncpy_from_user(buf, user_at(UINT32_MAX), 8) == -EFAULT);
    CHECK(clear_user_partial(user_at(USER_TOP - 1), 1) == 0);
    CHECK(strncpy_from_user(buf, user_at(USER_TOP - 4), 8) == 3);
}

/* Into the hole below the last page, and out of it: how much arrives is exact. */
static void check_copies_at_hole(void)
{
    char buf[8] = "";

    CHECK(copy_to_user_partial(user_at(LAST_PAGE - PAGE_SIZE - 3), "abcdefg", 8) == 5);
    CHECK(copy_from_user_partial(buf, user_at(LAST_PAGE - PAGE_SIZE - 3), 8) == 5);
    CHECK(memcmp(buf, "abc\0\0\0\0", 8) == 0);
    CHECK(clear_user_partial(user_at(LAST_PAGE - PAGE_SIZE - 3), 8) == 5);
    CHECK(copy_to_user(user_at(LAST_PAGE - 3), "abcdefg", 8) == -EFAULT);
    CHECK(get_user_u32((uint32_t *)buf, user_at(LAST_PAGE - 3)) == -EFAULT && buf[0] == 'a');
}

static void check_space_at_border(struct vm_space *s)
{
    char buf[8] = "keepme";

    CHECK(vm_copy_to(s, USER_TOP - 4, "topmost", 8) == 4);
    CHECK(vm_copy_from(s, buf, USER_TOP - 4, 8) == 4 && memcmp(buf, "topmme", 7) == 0);
    CHECK(vm_copy_from(s, buf, USER_TOP, 1) == -EFAULT);
    CHECK(vm_copy_to(s, 0x80100000u, buf, 1) == -EFAULT);
    CHECK(vm_copy_from(s, buf, UINT32_MAX - 3, 8) == -EFAULT);
    CHECK(vm_copy_to(s, USER_TOP - 4, buf, 0) == 0);
}

/* With a page below USER_TOP, a hole below that, and another page. */
static void test_user_border(void)
{
    struct vm_mapping m = {.addr = LAST_PAGE - 2 * PAGE_SIZE,
                           .len = 3 * PAGE_SIZE,
                           .prot = VM_PROT_READ | VM_PROT_WRITE,
                           .maxprot = VM_PROT_READ | VM_PROT_WRITE,
                           .flags = VM_FIXED};
    struct vm_space *s = vm_space_create();
    struct proc *p = proc_current();
    vaddr_t at;

    CHECK(s && !p->space && vm_map(s, &m, &at) == 0);
    CHECK(vm_unmap(s, LAST_PAGE - PAGE_SIZE, PAGE_SIZE) == 0);
    p->space = s;
    sched_use_space(s);
    check_copies_at_border();
    check_strings_at_border();
    check_copies_at_hole();
    check_space_at_border(s);
    p->space = NULL;
    sched_use_space(NULL);
    vm_space_unref(s);
    CHECK(mm_check() == 0);
}

#define PLACE 0x10000000u

static void check_cow(struct vm_space *parent)
{
    struct vm_space *child = NULL;
    char byte = 0;

    CHECK(vm_copy_to(parent, PLACE, "p", 1) == 1);
    CHECK(vm_space_fork(parent, &child) == 0);
    CHECK(vm_copy_from(child, &byte, PLACE, 1) == 1 && byte == 'p');
    CHECK(vm_copy_to(child, PLACE, "c", 1) == 1);
    CHECK(vm_copy_from(parent, &byte, PLACE, 1) == 1 && byte == 'p');
    CHECK(vm_copy_from(child, &byte, PLACE, 1) == 1 && byte == 'c');
    CHECK(mm_check() == 0);
    vm_space_unref(child);
}

static void test_spaces(void)
{
    struct vm_mapping m = {.addr = PLACE,
                           .len = 4 * PAGE_SIZE,
                           .prot = VM_PROT_READ | VM_PROT_WRITE,
                           .maxprot = VM_PROT_READ | VM_PROT_WRITE | VM_PROT_EXEC,
                           .flags = VM_FIXED};
    struct vm_space *s = vm_space_create();
    vaddr_t at = 0;
    char byte;

    CHECK(s && vm_map(s, &m, &at) == 0 && at == PLACE);
    check_cow(s);
    CHECK(vm_fault(s, PLACE + PAGE_SIZE, VM_WRITE) == VM_MINOR);
    CHECK(vm_fault(s, PLACE + 4 * PAGE_SIZE, VM_READ) == VM_BAD_ADDRESS);
    CHECK(vm_protect(s, PLACE, PAGE_SIZE, VM_PROT_READ) == 0);
    CHECK(vm_fault(s, PLACE, VM_WRITE) == VM_BAD_ACCESS);
    CHECK(vm_unmap(s, PLACE + PAGE_SIZE, PAGE_SIZE) == 0);
    CHECK(vm_copy_from(s, &byte, PLACE + PAGE_SIZE, 1) == -EFAULT);
    CHECK(mm_check() == 0);
    vm_space_unref(s);
}

static void test_objects(void)
{
    struct vm_object *o = vm_object_create_anon(3 * PAGE_SIZE);
    char buf[8] = "";

    CHECK(o != NULL);
    CHECK(vm_object_write_kernel(o, PAGE_SIZE - 3, "straddle", 8) == 8);
    CHECK(vm_object_read_kernel(o, PAGE_SIZE - 3, buf, 8) == 8 && memcmp(buf, "straddle", 8) == 0);
    CHECK(vm_object_pages(o) == 2);
    CHECK(vm_object_resize(o, PAGE_SIZE) == 0 && vm_object_pages(o) == 1);
    CHECK(vm_object_read_kernel(o, PAGE_SIZE - 3, buf, 8) == 3);
    vm_object_unref(o);
    CHECK(mm_check() == 0);
}

/* ---- Time and threads ---- */

static struct waitq queue;
static volatile unsigned turn, rounds;
static volatile bool fired;

static void on_timer(void *arg)
{
    (void)arg;
    fired = true;
    wake_all(&queue);
}

static void test_timers(void)
{
    struct timer t;
    uint64_t start = time_mono_ns();

    timer_init(&t, on_timer, NULL);
    fired = false;
    timer_start(&t, start + 20 * MSEC);
    wait_event(&queue, fired);
    CHECK(time_mono_ns() >= start + 20 * MSEC);
    CHECK(!timer_cancel(&t));

    fired = false;
    timer_start(&t, time_mono_ns() + 1000 * MSEC);
    CHECK(timer_cancel(&t));
    sleep_until(time_mono_ns() + 20 * MSEC);
    CHECK(!fired);
}

static void test_clock(void)
{
    uint64_t last = time_mono_ns();

    for (int i = 0; i < 1000; i++) {
        uint64_t now = time_mono_ns();
        CHECK(now >= last);
        last = now;
    }
    CHECK(time_real_sec() > 1577836800u); /* 2020 */
}

static void other_thread(void *arg)
{
    (void)arg;
    for (;;) {
        wait_event(&queue, turn == 1);
        rounds++;
        turn = 0;
        wake_all(&queue);
    }
}

static void test_threads(void)
{
    turn = rounds = 0;
    CHECK(kthread_create("selftest", other_thread, NULL) != NULL);
    for (int i = 0; i < 100; i++) {
        turn = 1;
        wake_all(&queue);
        wait_event(&queue, turn == 0);
    }
    CHECK(rounds == 100);
}

/* ---- Odds and ends ---- */

static void test_random(void)
{
    uint32_t a[4], b[4];

    random_bytes(a, sizeof(a));
    random_bytes(b, sizeof(b));
    CHECK(memcmp(a, b, sizeof(a)) != 0);
}

static void test_options(void)
{
    char value[16];

    CHECK(boot_flag("selftest") && !boot_flag("self"));
    CHECK(boot_option("console", value, sizeof(value)) && value[0]);
    CHECK(!boot_option("selftest", value, sizeof(value)));
    CHECK(boot_is_taken("selftest", 8) && boot_is_taken("mem", 3) && !boot_is_taken("me", 2));
}

static void test_audit(void)
{
    CHECK(mm_check() == 0);
}

static const struct {
    const char *name;
    void (*run)(void);
} tests[] = {
    {"list", test_list},
    {"string", test_string},
    {"printf", test_printf},
    {"frames", test_frames},
    {"kmalloc", test_kmalloc},
    {"exhaustion", test_exhaustion},
    {"inflate", test_inflate},
    {"user access", test_user_access},
    {"user border", test_user_border},
    {"spaces", test_spaces},
    {"objects", test_objects},
    {"clock", test_clock},
    {"timers", test_timers},
    {"threads", test_threads},
    {"random", test_random},
    {"options", test_options},
    {"audit", test_audit},
};

_Noreturn void selftest(void)
{
    unsigned failed = 0, count = sizeof(tests) / sizeof(tests[0]);

    waitq_init(&queue);
    for (unsigned i = 0; i < count; i++) {
        failures = 0;
        tests[i].run();
        failed += failures != 0;
        klog(LOG_NOTICE, "selftest: %s %s\n", tests[i].name, failures ? "FAILED" : "ok");
    }
    klog(LOG_NOTICE, "selftest: %u passed, %u failed\n", count - failed, failed);
    machine_power_off(failed == 0);
}
