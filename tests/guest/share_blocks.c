/* Files that share blocks: FICLONE, FICLONERANGE, FIDEDUPERANGE on a file system that cannot, and
 * what is wrong before that. FIFREEZE and FITHAW, which it cannot either. */
#include "guest.h"
#include <linux/fs.h>
#include <sys/ioctl.h>

static void clones(int to, int file, int dir, int pipe_end, int reads, int elsewhere)
{
    struct file_clone_range r = {.src_fd = file, .src_length = 1};

    SHOW(ioctl(to, FICLONE, file));
    SHOW(ioctl(to, FICLONE, to));
    SHOW(ioctl(to, FICLONE, -1));
    SHOW(ioctl(to, FICLONE, 99));
    SHOW(ioctl(to, FICLONE, elsewhere));
    SHOW(ioctl(to, FICLONE, pipe_end));
    SHOW(ioctl(to, FICLONE, dir));
    SHOW(ioctl(dir, FICLONE, file));
    SHOW(ioctl(pipe_end, FICLONE, pipe_end));
    SHOW(ioctl(pipe_end, FICLONE, file));
    SHOW(ioctl(reads, FICLONE, file));
    SHOW(ioctl(99, FICLONE, file));
    SHOW(ioctl(to, FICLONERANGE, &r));
    SHOW(ioctl(to, FICLONERANGE, NULL));
    r.src_fd = 99;
    SHOW(ioctl(to, FICLONERANGE, &r));
    fcntl(to, F_SETFL, O_APPEND);
    SHOW(ioctl(to, FICLONE, file));
    fcntl(to, F_SETFL, 0);
}

static void dedupes(int file, int dir, int pipe_end, int writes)
{
    struct file_dedupe_range *r = calloc(1, sizeof(*r) + 200 * sizeof(r->info[0]));

    r->src_length = 1;
    r->dest_count = 1;
    r->info[0].dest_fd = writes;
    SHOW(ioctl(file, FIDEDUPERANGE, r));
    SHOW(ioctl(dir, FIDEDUPERANGE, r));
    SHOW(ioctl(pipe_end, FIDEDUPERANGE, r));
    SHOW(ioctl(writes, FIDEDUPERANGE, r));
    SHOW(ioctl(file, FIDEDUPERANGE, NULL));
    r->reserved1 = 1;
    SHOW(ioctl(file, FIDEDUPERANGE, r));
    r->reserved1 = 0;
    r->reserved2 = 1;
    SHOW(ioctl(file, FIDEDUPERANGE, r));
    r->reserved2 = 0;
    r->dest_count = 127;
    SHOW(ioctl(file, FIDEDUPERANGE, r));
    r->dest_count = 128;
    SHOW(ioctl(file, FIDEDUPERANGE, r));
    r->dest_count = 0;
    SHOW(ioctl(file, FIDEDUPERANGE, r));
    r->src_offset = -1ull;
    SHOW(ioctl(file, FIDEDUPERANGE, r));
    r->src_offset = INT64_MAX;
    SHOW(ioctl(file, FIDEDUPERANGE, r));
    free(r);
}

/* The header at the end of what is mapped. */
static void cut_off(int file)
{
    char *map = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct file_dedupe_range *r = (void *)(map + PAGE - sizeof(*r));

    DIE_UNLESS(map != MAP_FAILED && munmap(map + PAGE, PAGE) == 0);
    SHOW(ioctl(file, FIDEDUPERANGE, r));
    r->dest_count = 1;
    SHOW(ioctl(file, FIDEDUPERANGE, r));
}

static void freezes(int file, int pipe_end)
{
    SHOW(ioctl(file, FIFREEZE, 0));
    SHOW(ioctl(file, FITHAW, 0));
    SHOW(ioctl(pipe_end, FIFREEZE, 0));
    SHOW(ioctl(pipe_end, FITHAW, 0));
}

static void as_user(void *arg)
{
    const int *file = arg;

    DIE_UNLESS(setuid(1000) == 0);
    SHOW(ioctl(*file, FIFREEZE, 0));
    SHOW(ioctl(*file, FITHAW, 0));
}

int main(void)
{
    int file = open("a", O_CREAT | O_RDWR, 0644), to = open("b", O_CREAT | O_RDWR, 0644);
    int dir = open(".", O_RDONLY), reads = open("a", O_RDONLY), writes = open("b", O_WRONLY);
    int elsewhere = open("/proc/self/maps", O_RDONLY), ends[2];

    DIE_UNLESS(file >= 0 && to >= 0 && dir >= 0 && reads >= 0 && elsewhere >= 0);
    DIE_UNLESS(pipe(ends) == 0 && write(file, "x", 1) == 1);
    clones(to, file, dir, ends[0], reads, elsewhere);
    dedupes(file, dir, ends[0], writes);
    cut_off(file);
    freezes(file, ends[0]);
    in_child("a user", as_user, &file);
    return 0;
}
