/*
 * The bytes of the boot archive: one run of read-only bytes, either contiguous (the boot module
 * itself) or scattered over single frames (what gunzip made of it). Readers do not see which.
 *
 * An archive is never freed once the file system reads from it; until then archive_free takes a
 * scattered one back.
 */
#ifndef FS_ARCHIVE_H
#define FS_ARCHIVE_H

#include <stddef.h>
#include <stdint.h>

struct archive {
    const uint8_t *base; /* contiguous bytes, or NULL */
    uint8_t ***leaves;   /* scattered: a frame of frames of frames */
    uint32_t size;       /* bytes */
};

/* Copies n bytes from offset; the range must lie inside. */
void archive_copy(const struct archive *a, uint32_t offset, void *dst, uint32_t n);

/*
 * n bytes from offset (inside): where they lie, or copied into scratch[n] when they are not
 * contiguous.
 */
const uint8_t *archive_view_pieces(const struct archive *a, uint32_t offset, uint32_t n,
                                   void *scratch);
static inline const uint8_t *archive_view(const struct archive *a, uint32_t offset, uint32_t n,
                                          void *scratch)
{
    return a->base ? a->base + offset : archive_view_pieces(a, offset, n, scratch);
}

/* Adds a frame to the end of a scattered archive; size is the caller's. NULL: no memory. */
uint8_t *archive_grow(struct archive *a);
/* The frame that holds byte offset of a scattered archive. */
const uint8_t *archive_frame(const struct archive *a, uint32_t offset);
void archive_free(struct archive *a);

/*
 * Decodes the DEFLATE stream at in (fs/archive/inflate.c) or the gzip member there, whose length
 * and CRC are checked (fs/archive/gzip.c), into out, zeroed by the caller; *used is how many bytes
 * it took. -EINVAL or -ENOMEM with *why set: out, which the caller frees, holds what was decoded
 * before.
 */
int inflate(const uint8_t *in, uint32_t in_size, struct archive *out, uint32_t *used,
            const char **why);
int gunzip(const uint8_t *in, uint32_t in_size, struct archive *out, uint32_t *used,
           const char **why);

/*
 * [dir's inode lock held, or at boot] Makes the names in dir that were put off. -ENOMEM: some still
 * wait. And has them forgotten, when dir goes: fs/archive/later.c.
 */
struct dentry;
struct inode;
int cpio_fill(struct dentry *dir);
void cpio_forget(struct inode *dir);

#endif
