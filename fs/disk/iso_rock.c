/*
 * Rock Ridge: what a Unix file is beyond ISO 9660, told by entries behind the name in its directory
 * record. Each has two letters, a length and a version; "CE" says that they go on elsewhere.
 * [SUSP 1.12, 5; RRIP 1.12, 4]
 */
#include "fs/disk/iso.h"
#include "libc/string.h"

#define CONTINUED_MAX 32u /* times that entries go on elsewhere */
#define XA_BYTES      14u /* what CD-ROM XA has in front of them */

#define NAME_CURRENT 2u /* flags of names, and of parts of links */
#define NAME_PARENT  4u
#define NAME_MORE    1u
#define LINK_ROOT    8u

#define TIME_CREATED  1u
#define TIME_MODIFIED 2u
#define TIME_ACCESSED 4u
#define TIME_CHANGED  8u
#define TIME_LONG     0x80u

/* A walk over the entries of one record. */
struct walk {
    struct iso_reader *reader;
    struct iso_rock *out;
    const uint8_t *at; /* the entries here */
    uint32_t left;
    struct iso_place more; /* where they go on */
    uint32_t more_bytes;
    unsigned continued;
    char *target;
    size_t room, length;
    bool joins, name_done; /* the next part of a link belongs to the last; the name is complete */
    int err;
};

static bool is(const uint8_t *e, const char *letters)
{
    return e[0] == (uint8_t)letters[0] && e[1] == (uint8_t)letters[1];
}

/* ---- Each kind of entry; len is all of it ---- */

static void take_mode(struct walk *w, const uint8_t *e, uint32_t len)
{
    if (len < 36)
        return;
    w->out->has_mode = true;
    w->out->mode = load_le32(e + 4) & 0xffff;
    w->out->nlink = load_le32(e + 12);
    w->out->uid = load_le32(e + 20);
    w->out->gid = load_le32(e + 28);
}

/* Some writers put all of the number into the lower half. */
static void take_device(struct walk *w, const uint8_t *e, uint32_t len)
{
    uint32_t high, low;

    if (len < 20)
        return;
    high = load_le32(e + 4);
    low = load_le32(e + 12);
    w->out->has_device = true;
    w->out->rdev = low > 0xff && high == 0 ? MKDEV(low >> 8 & 0xff, low & 0xff)
                                           : MKDEV(high & 0xff, low & 0xff);
}

static void take_name(struct walk *w, const uint8_t *e, uint32_t len)
{
    struct iso_rock *o = w->out;
    uint32_t n = len < 5 ? 0 : len - 5;

    if (len < 5 || w->name_done || (e[4] & (NAME_CURRENT | NAME_PARENT)))
        return;
    if (n > NAME_MAX - o->name_len)
        n = NAME_MAX - o->name_len;
    memcpy(o->name + o->name_len, e + 5, n);
    o->name_len += n;
    w->name_done = !(e[4] & NAME_MORE);
}

static void take_times(struct walk *w, const uint8_t *e, uint32_t len)
{
    const uint8_t *date = e + 5;
    uint32_t *to;

    if (len < 5 || (e[4] & TIME_LONG))
        return;
    for (unsigned bit = 1; bit < TIME_LONG && date + 7 <= e + len; bit <<= 1) {
        if (!(e[4] & bit))
            continue;
        to = bit == TIME_MODIFIED                         ? &w->out->mtime
             : bit == TIME_ACCESSED                       ? &w->out->atime
             : bit == TIME_CHANGED || bit == TIME_CREATED ? &w->out->ctime
                                                          : NULL;
        if (to)
            *to = iso_time(date);
        date += 7;
    }
}

static void append(struct walk *w, const char *text, size_t n)
{
    if (n > w->room - w->length) {
        w->err = -ENAMETOOLONG;
        return;
    }
    memcpy(w->target + w->length, text, n);
    w->length += n;
}

/* One part of a link: flags, length, text. */
static void append_part(struct walk *w, const uint8_t *part)
{
    if (w->length && !w->joins && w->target[w->length - 1] != '/')
        append(w, "/", 1);
    if (part[0] & LINK_ROOT)
        append(w, "/", 1);
    else if (part[0] & NAME_PARENT)
        append(w, "..", 2);
    else if (part[0] & NAME_CURRENT)
        append(w, ".", 1);
    else
        append(w, (const char *)part + 2, part[1]);
    w->joins = part[0] & NAME_MORE;
}

static void take_link(struct walk *w, const uint8_t *e, uint32_t len)
{
    uint32_t at = 5;

    while (w->target && !w->err && at + 2 <= len && e[at + 1] <= len - at - 2) {
        append_part(w, e + at);
        at += 2u + e[at + 1];
    }
}

static void take_continuation(struct walk *w, const uint8_t *e, uint32_t len)
{
    if (len < 28)
        return;
    w->more = (struct iso_place){load_le32(e + 4), load_le32(e + 12)};
    w->more_bytes = load_le32(e + 20);
}

static void take(struct walk *w, const uint8_t *e, uint32_t len)
{
    if (is(e, "PX"))
        take_mode(w, e, len);
    else if (is(e, "PN"))
        take_device(w, e, len);
    else if (is(e, "NM"))
        take_name(w, e, len);
    else if (is(e, "TF"))
        take_times(w, e, len);
    else if (is(e, "SL"))
        take_link(w, e, len);
    else if (is(e, "CE"))
        take_continuation(w, e, len);
    else if (is(e, "RE"))
        w->out->relocated = true;
    else if (is(e, "CL") && len >= 12)
        w->out->child = load_le32(e + 4);
}

/* ---- The walk ---- */

/* The entries here, up to their end. */
static void take_all(struct walk *w)
{
    while (w->left >= 4 && w->at[2] >= 4 && w->at[2] <= w->left && !is(w->at, "ST")) {
        uint32_t len = w->at[2];

        take(w, w->at, len);
        w->at += len;
        w->left -= len;
    }
}

/* Loads where they go on, behind the block in the frame; false: nowhere. */
static bool go_on(struct walk *w)
{
    uint8_t *room = w->reader->frame + ISO_BLOCK;

    if (!w->more_bytes || w->err)
        return false;
    if (++w->continued > CONTINUED_MAX)
        w->err = iso_corrupt(w->reader->s, "Rock Ridge entries without end, block", w->more.block);
    else
        w->err = iso_read(w->reader->s, w->more, room, w->more_bytes);
    w->at = room;
    w->left = w->more_bytes;
    w->more_bytes = 0;
    return !w->err;
}

/* Where a record's entries begin, and how many bytes they have. */
static const uint8_t *area_of(const struct iso_raw_record *r, uint32_t *bytes)
{
    uint32_t head = (ISO_RECORD_HEAD + r->name_len + 1) & ~1u;

    *bytes = head < r->len ? r->len - head : 0;
    return (const uint8_t *)r + head;
}

int iso_rock_read(struct iso_reader *r, struct iso_rock *out, char *target, size_t size)
{
    struct walk w = {.reader = r, .out = out, .target = target, .room = size};
    uint32_t skip = r->s->skip;

    memset(out, 0, sizeof(*out));
    if (r->s->names != ISO_ROCK)
        return 0;
    w.at = area_of(r->record, &w.left);
    skip = skip < w.left ? skip : w.left;
    w.at += skip;
    w.left -= skip;
    do
        take_all(&w);
    while (go_on(&w));
    return w.err ? w.err : (int)w.length;
}

uint32_t iso_mode(const struct iso_raw_record *r, const struct iso_rock *rock)
{
    uint32_t rights = rock->has_mode ? rock->mode & 07777 : 0555;

    if (r->flags & ISO_FL_DIR)
        return S_IFDIR | rights;
    if (rock->has_mode && (rock->mode & S_IFMT) && !S_ISDIR(rock->mode))
        return rock->mode;
    return S_IFREG | rights;
}

static bool says_so(const uint8_t *e, uint32_t len)
{
    return len >= 7 && is(e, "SP") && e[2] >= 7 && e[4] == 0xbe && e[5] == 0xef;
}

bool iso_rock_is_used(struct iso_super *s)
{
    struct iso_reader r;
    const uint8_t *area;
    uint32_t len;
    bool used = false;

    if (!iso_reader_begin(&r, s, s->root, s->blocks) && iso_reader_load(&r) == 1) {
        area = area_of(r.record, &len);
        used = says_so(area, len);
        s->skip = used ? area[6] : 0;
        if (!used && len > XA_BYTES && says_so(area + XA_BYTES, len - XA_BYTES)) {
            used = true;
            s->skip = XA_BYTES;
        }
    }
    iso_reader_end(&r);
    return used;
}
