/* Memory that runs out, copies by the kernel, and the allocators of frames and small objects. */
#include <string.h>
#include "libc/errno.h"
#include "tests/host/stage.h"

/* ---- Out of memory ---- */

TEST(memory_runs_out_without_harm)
{
    unsigned i;

    map(AT, 2000, RW, VM_NORESERVE, NULL, 0);
    for (i = 0; i < 2000; i++) {
        if (program_store(0, s, AT + i * PAGE_SIZE, i) == VM_NO_MEMORY)
            break;
    }
    EXPECT(i > 800 && i < 1024);
    EXPECT(kalloc() != NULL);
    EXPECT_EQ(mm_check(), 0);
    EXPECT_EQ(load(s, AT), 0);
    EXPECT_EQ(load(s, AT + 100 * PAGE_SIZE), 100);
}

TEST(clean_file_pages_give_way)
{
    struct vm_object *big = vm_object_create(&test_pager, NULL, 600 * PAGE_SIZE);
    struct vm_space *fresh;
    uint32_t written = 4321;

    map(AT, 600, RW, VM_SHARED, big, 0);
    for (unsigned i = 0; i < 600; i++)
        load(s, AT + i * PAGE_SIZE);
    store(s, AT + 5 * PAGE_SIZE, 1234);
    vm_object_write_kernel(big, 9 * PAGE_SIZE, &written, 4);
    store(s, AT + 11 * PAGE_SIZE, 5678);
    vm_unmap(s, AT + 11 * PAGE_SIZE, PAGE_SIZE);
    map(AT + 0x1000000, 700, RW, 0, NULL, 0);
    for (unsigned i = 0; i < 700; i++)
        store(s, AT + 0x1000000 + i * PAGE_SIZE, i);
    EXPECT(vm_object_pages(big) < 400);
    EXPECT_EQ(load(s, AT + 5 * PAGE_SIZE), 1234);
    EXPECT_EQ(load(s, AT + 9 * PAGE_SIZE), 4321);
    vm_object_read_kernel(big, 11 * PAGE_SIZE, &written, 4);
    EXPECT_EQ(written, 5678);
    EXPECT_EQ(load(s, AT + 300 * PAGE_SIZE), (0x40 + 300) % 256 * 0x01010101u);
    fresh = s;
    s = NULL;
    vm_space_unref(fresh);
    vm_object_unref(big);
}

/* ---- Copies by the kernel ---- */

TEST(copy_to_and_from_a_space_behaves_as_the_program_would)
{
    char buf[PAGE_SIZE + 10];

    map(AT, 2, RW, 0, NULL, 0);
    vm_space_fork(s, &child);
    memset(buf, 'x', sizeof(buf));
    EXPECT_EQ(vm_copy_to(s, AT + 100, buf, sizeof(buf)), sizeof(buf));
    EXPECT_EQ(load(s, AT + 100), 0x78787878);
    EXPECT_EQ(load(child, AT + 100), 0);
    EXPECT_EQ(vm_copy_to(s, AT + 2 * PAGE_SIZE - 6, buf, 10), 6);
    EXPECT_EQ(vm_copy_to(s, AT + 2 * PAGE_SIZE, buf, 10), -EFAULT);
    memset(buf, 0, sizeof(buf));
    EXPECT_EQ(vm_copy_from(s, buf, AT + 104, 4), 4);
    EXPECT_EQ(buf[0], 'x');
    vm_protect(s, AT, 2 * PAGE_SIZE, VM_PROT_READ);
    EXPECT_EQ(vm_copy_to(s, AT, buf, 1), -EFAULT);
    EXPECT_EQ(vm_copy_from(s, buf, 0xfffffff0, 100), -EFAULT);
}

/* ---- Physical memory ---- */

TEST(every_frame_can_be_had_once_and_given_back)
{
    struct mem_stats st;
    void *list = NULL, *page;
    uint32_t n = 0, start;

    mm_stats(&st);
    start = st.free;
    while ((page = kalloc())) {
        *(void **)page = list;
        list = page;
        n++;
    }
    EXPECT_EQ(n, start);
    mm_stats(&st);
    EXPECT_EQ(st.free, 0);
    while (list) {
        page = list;
        list = *(void **)page;
        kfree(page);
    }
    mm_stats(&st);
    EXPECT_EQ(st.free, start);
}

TEST(kmalloc_of_every_size_holds_its_bytes)
{
    static uint8_t *p[PAGE_SIZE / 8 + 1];

    for (unsigned i = 1; i <= PAGE_SIZE / 8; i++) {
        p[i] = kmalloc(i * 8);
        EXPECT(p[i] != NULL && ((uintptr_t)p[i] & 7) == 0);
        if (p[i])
            memset(p[i], (int)i, i * 8);
    }
    for (unsigned i = 1; i <= PAGE_SIZE / 8; i++) {
        EXPECT(p[i][0] == (uint8_t)i && p[i][i * 8 - 1] == (uint8_t)i);
        kmfree(p[i]);
    }
    kmfree(NULL);
    EXPECT_EQ(mm_check(), 0);
}

TEST(kmalloc_gives_its_frames_back)
{
    struct mem_stats st;
    void *list = NULL, *p;
    uint32_t start, n = 0, again = 0;

    mm_stats(&st);
    start = st.free;
    for (; (p = kmalloc(256)); list = p, n++)
        *(void **)p = list;
    for (; (p = list); kmfree(p))
        list = *(void **)p;
    mm_stats(&st);
    EXPECT(st.free >= start - 1);
    for (; (p = kmalloc(256)); list = p, again++)
        *(void **)p = list;
    EXPECT_EQ(again, n);
    for (unsigned i = 0; i < 20; i++) {
        p = list;
        list = *(void **)p;
        kmfree(p);
    }
    for (unsigned i = 0; i < 20; i++) {
        p = kmalloc(256);
        EXPECT(p != NULL);
        *(void **)p = list;
        list = p;
    }
    for (; (p = list); kmfree(p))
        list = *(void **)p;
}

TEST(tables_and_leaves_are_given_back_when_empty)
{
    uint32_t tables = frame_count(FRAME_TABLE);

    map(AT, 1, RW, 0, NULL, 0);
    store(s, AT, 1);
    EXPECT_EQ(frame_count(FRAME_TABLE), tables + 1);
    vm_unmap(s, AT, PAGE_SIZE);
    EXPECT_EQ(frame_count(FRAME_TABLE), tables);
    EXPECT_EQ(frame_count(FRAME_LEAF), 0);
}

TEST(figures_are_exact)
{
    struct vm_space_stats st;

    map(AT, 10, RW, 0, NULL, 0);
    map(AT + 0x100000, 4, VM_PROT_READ | VM_PROT_EXEC, 0, file, 0);
    store(s, AT, 1);
    load(s, AT + PAGE_SIZE);
    load(s, AT + 0x100000);
    vm_space_stats(s, &st);
    EXPECT_EQ(st.size, 14);
    EXPECT_EQ(st.resident, 2);
    EXPECT_EQ(st.resident_file, 1);
    EXPECT_EQ(st.data, 10);
    EXPECT_EQ(st.text, 4);
    vm_unmap(s, AT, 10 * PAGE_SIZE);
    vm_space_stats(s, &st);
    EXPECT_EQ(st.resident, 1);
    EXPECT_EQ(st.peak_resident, 2);
}

int main(void)
{
    return run_tests(stage_up, stage_down);
}
