/*
 * Below the disks, on the host: the order in which transfers go to a disk, and partition tables,
 * good and broken.
 */
#include <string.h>
#include "fs/block/elevator.h"
#include "fs/block/table.h"
#include "tests/host/check.h"

#define SECTORS_PER_PAGE 8u

/* ---- The elevator ---- */

static struct elevator e;
static struct block_io ios[256];

static void before(void)
{
    elevator_init(&e, 64 * 1024, 16, false);
    memset(ios, 0, sizeof(ios));
}

/* A page of io i at that sector, at the time i. */
static bool add(unsigned i, uint64_t at, enum block_op op)
{
    ios[i].at = at;
    ios[i].bytes = 4096;
    ios[i].op = (uint8_t)op;
    ios[i].since = i;
    return elevator_add(&e, &ios[i]);
}

static struct block_io *take(void)
{
    return elevator_take(&e, 0);
}

TEST(sweeps_upwards_and_starts_again)
{
    add(0, 800, BLOCK_READ);
    add(1, 80, BLOCK_READ);
    add(2, 400, BLOCK_READ);
    EXPECT(take() == &ios[1]);
    add(3, 8, BLOCK_READ);
    EXPECT(take() == &ios[2]);
    EXPECT(take() == &ios[0]);
    EXPECT(take() == &ios[3]);
    EXPECT(take() == NULL);
}

TEST(joins_behind_before_and_between)
{
    EXPECT(!add(0, 8, BLOCK_WRITE));
    EXPECT(add(1, 16, BLOCK_WRITE));
    EXPECT(!add(2, 32, BLOCK_WRITE));
    EXPECT(add(3, 24, BLOCK_WRITE));
    EXPECT(add(4, 0, BLOCK_WRITE));
    EXPECT_EQ(e.runs, 1);
    struct block_io *head = take(), *io;
    EXPECT(head == &ios[4]);
    EXPECT_EQ(head->run_bytes, 5 * 4096);
    EXPECT_EQ(head->run_segments, 5);
    uint64_t next = 8;
    list_for_each_entry (io, &head->run, sorted) {
        EXPECT_EQ(io->at, next);
        next += SECTORS_PER_PAGE;
    }
    EXPECT_EQ(next, 40);
}

TEST(joins_only_what_is_alike)
{
    add(0, 0, BLOCK_READ);
    EXPECT(!add(1, 8, BLOCK_WRITE));
    ios[2].flags = BLOCK_FUA;
    EXPECT(!add(2, 16, BLOCK_WRITE));
    ios[3].alone = true;
    ios[3].flags = BLOCK_FUA;
    EXPECT(!add(3, 24, BLOCK_WRITE));
    EXPECT_EQ(e.runs, 4);
}

TEST(keeps_within_the_limits)
{
    for (unsigned i = 0; i < 40; i++)
        add(i, i * SECTORS_PER_PAGE, BLOCK_READ);
    EXPECT_EQ(take()->run_bytes, 64 * 1024);
    EXPECT_EQ(take()->run_bytes, 64 * 1024);
    EXPECT_EQ(take()->run_bytes, 8 * 4096);
    EXPECT(take() == NULL);
    elevator_init(&e, 64 * 1024, 3, false);
    ios[0].offset = 512; /* touches two frames */
    add(0, 0, BLOCK_READ);
    EXPECT(add(1, 8, BLOCK_READ));
    EXPECT(!add(2, 16, BLOCK_READ));
}

TEST(joins_at_ends_of_pages_where_hardware_wants_it)
{
    elevator_init(&e, 64 * 1024, 16, true);
    ios[0].offset = 512;
    add(0, 0, BLOCK_READ);
    EXPECT(!add(1, 8, BLOCK_READ));
    EXPECT(add(2, 16, BLOCK_READ));
}

TEST(lets_nobody_wait_for_ever)
{
    add(0, 8, BLOCK_READ);
    add(1, 800, BLOCK_READ);
    EXPECT(take() == &ios[0]);
    add(2, 0, BLOCK_READ);
    ios[3].since = ELEVATOR_PATIENCE_NS;
    ios[3].at = 400;
    ios[3].bytes = 4096;
    elevator_add(&e, &ios[3]);
    EXPECT(elevator_take(&e, ELEVATOR_PATIENCE_NS + 2) == &ios[1]);
    EXPECT(elevator_take(&e, ELEVATOR_PATIENCE_NS + 3) == &ios[2]);
}

TEST(loses_and_doubles_nothing)
{
    unsigned seed = 1, waiting = 0;
    bool out[256] = {false};

    for (unsigned i = 0; i < 256; i++) {
        seed = seed * 1103515245 + 12345;
        add(i, (seed >> 16) % 64 * SECTORS_PER_PAGE, seed >> 30 & 1);
        waiting++;
        struct block_io *head = seed >> 28 & 1 ? take() : NULL, *io;
        if (!head)
            continue;
        uint64_t next = head->at + SECTORS_PER_PAGE;
        out[head - ios] = true;
        waiting--;
        list_for_each_entry (io, &head->run, sorted) {
            EXPECT(!out[io - ios] && io->at == next && io->op == head->op);
            out[io - ios] = true;
            next += SECTORS_PER_PAGE;
            waiting--;
        }
        EXPECT_EQ(head->run_bytes >> SECTOR_SHIFT, next - head->at);
    }
    for (struct block_io *head; (head = take());)
        waiting -= head->run_bytes / 4096;
    EXPECT_EQ(waiting, 0);
    EXPECT_EQ(e.runs, 0);
}

/* ---- Partition tables ---- */

#define BLOCKS 2048u

static uint8_t disk[BLOCKS * 512], room[TABLE_BLOCK];
static struct table t;
static unsigned reads;

static int read_block(void *ctx, uint64_t n, uint8_t *buf)
{
    (void)ctx;
    reads++;
    if (n >= BLOCKS * 512 / t.block_size)
        return -5;
    memcpy(buf, disk + n * t.block_size, t.block_size);
    return 0;
}

static int read_table(void)
{
    t.sectors = BLOCKS;
    t.block_size = 512;
    t.read = read_block;
    t.buf = room;
    return table_read(&t);
}

static void put32(uint8_t *p, uint32_t v)
{
    memcpy(p, &v, 4);
}

static void put64(uint8_t *p, uint64_t v)
{
    memcpy(p, &v, 8);
}

static void put_mbr(unsigned block, unsigned i, uint8_t type, uint32_t start, uint32_t n)
{
    uint8_t *p = disk + block * 512 + 446 + i * 16;

    p[4] = type;
    put32(p + 8, start);
    put32(p + 12, n);
    disk[block * 512 + 510] = 0x55;
    disk[block * 512 + 511] = 0xaa;
}

/* Two primary, an extended one with two logical. */
static void make_mbr(void)
{
    memset(disk, 0, sizeof(disk));
    put_mbr(0, 0, 0x83, 64, 128);
    put_mbr(0, 1, 0x82, 192, 64);
    put_mbr(0, 2, 0x05, 512, 512);
    put_mbr(512, 0, 0x83, 8, 56);
    put_mbr(512, 1, 0x05, 64, 64);
    put_mbr(576, 0, 0x83, 8, 56);
}

static void expect_entry(unsigned i, unsigned number, uint64_t start, uint64_t sectors)
{
    EXPECT_EQ(t.entry[i].number, number);
    EXPECT_EQ(t.entry[i].start, start);
    EXPECT_EQ(t.entry[i].sectors, sectors);
}

TEST(reads_an_mbr_with_logical_partitions)
{
    make_mbr();
    EXPECT_EQ(read_table(), 0);
    EXPECT(t.kind && strcmp(t.kind, "dos") == 0);
    EXPECT_EQ(t.count, 5);
    expect_entry(0, 1, 64, 128);
    expect_entry(1, 2, 192, 64);
    expect_entry(2, 3, 512, 2);
    expect_entry(3, 5, 520, 56);
    expect_entry(4, 6, 584, 56);
}

TEST(follows_a_ring_of_links_to_an_end)
{
    make_mbr();
    put_mbr(576, 1, 0x05, 0, 64);
    reads = 0;
    EXPECT_EQ(read_table(), 0);
    EXPECT(reads < 100);
    EXPECT(t.count <= TABLE_MAX);
}

TEST(leaves_out_what_is_beyond_the_disk)
{
    make_mbr();
    put_mbr(0, 0, 0x83, 64, BLOCKS);
    put_mbr(0, 1, 0x83, 0xffffffff, 0xffffffff);
    EXPECT_EQ(read_table(), 0);
    EXPECT_EQ(t.entry[0].number, 3);
}

TEST(takes_a_boot_sector_for_no_table)
{
    memset(disk, 0x90, sizeof(disk));
    disk[510] = 0x55;
    disk[511] = 0xaa;
    EXPECT_EQ(read_table(), 0);
    EXPECT(t.kind == NULL);
    EXPECT_EQ(t.count, 0);
}

static void make_header(unsigned at, unsigned other, unsigned entries)
{
    uint8_t *h = disk + at * 512;

    memset(h, 0, 512);
    memcpy(h, "EFI PART", 8);
    put32(h + 8, 0x10000);
    put32(h + 12, 92);
    put64(h + 24, at);
    put64(h + 32, other);
    put64(h + 40, 34);
    put64(h + 48, BLOCKS - 34);
    put64(h + 72, entries);
    put32(h + 80, 128);
    put32(h + 84, 128);
    put32(h + 88, table_crc32(0, disk + entries * 512, 128 * 128));
    put32(h + 16, table_crc32(0, h, 92));
}

static void make_gpt(void)
{
    uint8_t *entry = disk + 2 * 512;

    memset(disk, 0, sizeof(disk));
    put_mbr(0, 0, 0xee, 1, BLOCKS - 1);
    entry[0] = 1;
    put64(entry + 32, 64);
    put64(entry + 40, 127);
    entry[128 * 2] = 1;
    put64(entry + 128 * 2 + 32, 128);
    put64(entry + 128 * 2 + 40, 1023);
    memcpy(disk + (BLOCKS - 33) * 512, entry, 128 * 128);
    make_header(1, BLOCKS - 1, 2);
    make_header(BLOCKS - 1, 1, BLOCKS - 33);
}

static void expect_gpt(void)
{
    EXPECT_EQ(read_table(), 0);
    EXPECT(t.kind && strcmp(t.kind, "gpt") == 0);
    EXPECT_EQ(t.count, 2);
    expect_entry(0, 1, 64, 64);
    expect_entry(1, 3, 128, 896);
}

TEST(reads_a_gpt)
{
    make_gpt();
    expect_gpt();
}

TEST(reads_the_copy_of_a_gpt_whose_first_is_bad)
{
    make_gpt();
    disk[512 + 60] ^= 1; /* the header */
    expect_gpt();
    make_gpt();
    disk[2 * 512 + 41] ^= 1; /* an entry */
    expect_gpt();
}

TEST(believes_no_gpt_without_a_right_checksum)
{
    make_gpt();
    disk[512 + 60] ^= 1;
    disk[(BLOCKS - 1) * 512 + 60] ^= 1;
    EXPECT_EQ(read_table(), 0);
    EXPECT(!t.kind || strcmp(t.kind, "gpt") != 0);
}

TEST(survives_every_broken_table)
{
    static const uint16_t places[] = {446, 512 + 16, 1024 + 32, 512 * 512 % 65535, 576};
    unsigned seed = 7;

    for (unsigned round = 0; round < 4000; round++) {
        round & 1 ? make_gpt() : make_mbr();
        for (unsigned n = 0; n < 1 + round % 6; n++) {
            seed = seed * 1103515245 + 12345;
            disk[(places[seed >> 16 & 3] + (seed >> 20) % 96)] = (uint8_t)(seed >> 8);
        }
        if (round & 1 && round & 2)
            put32(disk + 512 + 16, 0), put32(disk + 512 + 16, table_crc32(0, disk + 512, 92));
        reads = 0;
        read_table();
        EXPECT(reads < 3000);
        EXPECT(t.count <= TABLE_MAX);
        for (unsigned i = 0; i < t.count; i++)
            EXPECT(t.entry[i].sectors && t.entry[i].start < BLOCKS &&
                   t.entry[i].sectors <= BLOCKS - t.entry[i].start);
    }
}

int main(void)
{
    return run_tests(before, NULL);
}
