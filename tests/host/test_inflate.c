/*
 * The gzip decoder against the host's gzip, against streams made by hand, and against damage: it
 * must refuse with a reason and give every frame back.
 */
#include <string.h>
#include "tests/host/program.h"
#include "fs/archive/archive.h"
#include "libc/errno.h"
#include "tests/host/check.h"

#define RAM (16u << 20)

static uint8_t *input, *stream;
static uint32_t input_size, stream_size;
static uint32_t frames_before;

static uint32_t free_frames(void)
{
    struct mem_stats m;

    mm_stats(&m);
    return m.free;
}

static void before(void)
{
    machine_with_mm(RAM);
    frames_before = free_frames();
    input = malloc(4u << 20);
    stream = malloc(5u << 20);
    input_size = stream_size = 0;
    srand(1);
}

static void after(void)
{
    EXPECT_EQ(free_frames(), frames_before);
    EXPECT_EQ(mm_check(), 0);
    machine_off();
    free(input);
    free(stream);
}

/* ---- Making streams ---- */

/* input, through the host's gzip, into stream. */
static void compress(const char *options)
{
    char command[128], name[] = "/tmp/test_inflate.XXXXXX";
    int fd = mkstemp(name);
    FILE *f = fdopen(fd, "wb");

    fwrite(input, 1, input_size, f);
    fclose(f);
    snprintf(command, sizeof(command), "gzip %s -c %s", options, name);
    f = popen(command, "r");
    stream_size = (uint32_t)fread(stream, 1, 5u << 20, f);
    pclose(f);
    remove(name);
}

static void put(const void *bytes, uint32_t n)
{
    memcpy(stream + stream_size, bytes, n);
    stream_size += n;
}

static void put32(uint32_t v)
{
    put(&v, 4);
}

static uint32_t crc32(const uint8_t *p, uint32_t n)
{
    uint32_t c = UINT32_MAX;

    for (; n > 0; n--) {
        c ^= *p++;
        for (int k = 0; k < 8; k++)
            c = c & 1 ? c >> 1 ^ 0xedb88320u : c >> 1;
    }
    return ~c;
}

static void put_header(uint8_t flags)
{
    uint8_t h[10] = {0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 3};

    put(h, sizeof(h));
}

/* input in one stored block, and the trailer. */
static void put_stored(void)
{
    uint8_t h[5] = {1, (uint8_t)input_size, (uint8_t)(input_size >> 8), (uint8_t)~input_size,
                    (uint8_t)(~input_size >> 8)};

    put(h, sizeof(h));
    put(input, input_size);
    put32(crc32(input, input_size));
    put32(input_size);
}

static void text(const char *s)
{
    input_size = (uint32_t)strlen(s);
    memcpy(input, s, input_size);
}

/* ---- Decoding ---- */

/* What gunzip says of the first n bytes of stream; the result is given back. */
static int decode(uint32_t n, const char **why)
{
    uint8_t *exact = malloc(n ? n : 1); /* so that a read past the end is seen */
    struct archive a = {0};
    uint32_t used = 0;
    int err;

    memcpy(exact, stream, n);
    err = gunzip(exact, n, &a, &used, why);
    EXPECT(used <= n);
    archive_free(&a);
    free(exact);
    return err;
}

/* stream decodes to input, and nothing of it is left over. */
static void expect_round_trip(void)
{
    struct archive a = {0};
    const char *why = NULL;
    uint32_t used;
    uint8_t *out;

    EXPECT_EQ(gunzip(stream, stream_size, &a, &used, &why), 0);
    EXPECT_EQ(used, stream_size);
    EXPECT_EQ(a.size, input_size);
    if (a.size == input_size) {
        out = malloc(input_size + 1);
        archive_copy(&a, 0, out, input_size);
        EXPECT(memcmp(out, input, input_size) == 0);
        free(out);
    }
    archive_free(&a);
}

static void expect_refused(const char *reason)
{
    const char *why = "";

    EXPECT_EQ(decode(stream_size, &why), -EINVAL);
    EXPECT(strcmp(why, reason) == 0);
    if (strcmp(why, reason))
        fprintf(stderr, "said: %s\n", why);
}

static void fill_random(uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        input[i] = (uint8_t)(rand() >> 8);
    input_size = n;
}

/* Words, so that every kind of match occurs. */
static void fill_text(uint32_t n)
{
    static const char *words[] = {"page ", "frame ", "slot ", "fault ", "the ", "a\n", "archive"};

    for (input_size = 0; input_size < n;) {
        const char *w = words[rand() % 7];

        memcpy(input + input_size, w, strlen(w));
        input_size += (uint32_t)strlen(w);
        if (rand() % 16 == 0)
            input[input_size++] = (uint8_t)rand();
    }
}

TEST(gzip_of_text)
{
    fill_text(1u << 20);
    compress("-1");
    expect_round_trip();
    compress("-9");
    expect_round_trip();
}

TEST(gzip_of_random_bytes_is_stored)
{
    fill_random(300000);
    compress("-6");
    expect_round_trip();
}

TEST(gzip_of_zeros_repeats_the_byte_before)
{
    memset(input, 0, input_size = 2000000);
    compress("-9");
    expect_round_trip();
}

TEST(gzip_of_nothing_and_of_a_few_bytes)
{
    compress("");
    expect_round_trip();
    text("fixed codes are for the short");
    compress("");
    expect_round_trip();
}

TEST(sizes_around_a_frame)
{
    for (uint32_t n = PAGE_SIZE - 2; n <= PAGE_SIZE + 2; n++) {
        fill_text(n);
        input_size = n;
        compress("-6");
        expect_round_trip();
    }
}

TEST(stored_block_by_hand)
{
    fill_random(65535);
    put_header(0);
    put_stored();
    expect_round_trip();
}

TEST(every_optional_header_field)
{
    text("hello");
    put_header(0x1f);
    put("\3\0abc", 5);
    put("name", 5);
    put("comment", 8);
    put("hc", 2);
    put_stored();
    expect_round_trip();
}

TEST(what_follows_a_member_is_not_touched)
{
    struct archive a = {0};
    const char *why;
    uint32_t used, member;

    text("first");
    compress("");
    member = stream_size;
    put("\x1f\x8btrailing", 10);
    EXPECT_EQ(gunzip(stream, stream_size, &a, &used, &why), 0);
    EXPECT_EQ(used, member);
    archive_free(&a);
}

TEST(wrong_checksum_and_length)
{
    text("some text");
    compress("");
    stream[stream_size - 5] ^= 1;
    expect_refused("wrong checksum");
    stream[stream_size - 5] ^= 1;
    stream[stream_size - 1] ^= 1;
    expect_refused("wrong length");
}

TEST(cut_anywhere)
{
    const char *why;

    fill_text(3000);
    compress("-9");
    for (uint32_t n = 0; n < stream_size; n++)
        EXPECT_EQ(decode(n, &why), -EINVAL);
    EXPECT_EQ(decode(stream_size, &why), 0);
}

TEST(malformed_blocks)
{
    put_header(0);
    put("\7", 1);
    expect_refused("bad block type");
    stream_size = 10;
    put("\1\5\0\5\0hello", 10);
    expect_refused("bad stored block");
    /* A fixed block whose first symbol is a match: length 3, distance 1, of nothing. */
    stream_size = 10;
    put("\x03\x02\0\0\0\0\0\0\0\0", 10);
    expect_refused("distance too far back");
    stream_size = 0;
    put_header(0xe0);
    put_stored();
    expect_refused("not a gzip member that can be read");
}

TEST(a_bomb_runs_out_of_memory_and_gives_it_back)
{
    const char *why = "";
    static uint8_t zeros[1u << 20];
    FILE *f = popen("gzip -9 -c > /tmp/test_inflate.bomb", "w");

    for (int i = 0; i < 64; i++)
        fwrite(zeros, 1, sizeof(zeros), f);
    pclose(f);
    f = fopen("/tmp/test_inflate.bomb", "rb");
    stream_size = (uint32_t)fread(stream, 1, 5u << 20, f);
    fclose(f);
    remove("/tmp/test_inflate.bomb");
    EXPECT_EQ(decode(stream_size, &why), -ENOMEM);
    EXPECT(strcmp(why, "not enough memory to unpack it") == 0);
}

TEST(damaged_streams)
{
    const char *why;

    fill_text(5000);
    compress("-6");
    for (int round = 0; round < 5000; round++) {
        uint32_t at[4];
        uint8_t old[4];
        int n = 1 + rand() % 4;

        for (int i = 0; i < n; i++) {
            at[i] = (uint32_t)rand() % stream_size;
            old[i] = stream[at[i]];
            stream[at[i]] = (uint8_t)rand();
        }
        why = NULL;
        if (decode(stream_size, &why))
            EXPECT(why != NULL);
        while (n-- > 0)
            stream[at[n]] = old[n];
    }
}

int main(void)
{
    return run_tests(before, after);
}
