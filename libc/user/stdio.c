/*
 * Streams. A stream's buffer holds either bytes read ahead (next..end) or bytes not yet written
 * (0..end), never both: `writing` says which. All open streams are on one list for fflush(NULL).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct stream {
    int fd, mode;                    /* _IOFBF ... */
    bool writing, eof, error, asked; /* asked: the mode is settled */
    size_t next, end;
    struct stream *link;
    unsigned char buf[BUFSIZ];
};

/* The three that are there from the start are not on the list, and fclose() does not free them. */
static struct stream in = {.fd = 0}, out = {.fd = 1},
                     err = {.fd = 2, .mode = _IONBF, .asked = true};
FILE *const stdin = &in, *const stdout = &out, *const stderr = &err;
static struct stream *opened;

FILE *fdopen(int fd, const char *mode)
{
    FILE *f = calloc(1, sizeof(*f));

    (void)mode;
    if (!f)
        return NULL;
    f->fd = fd;
    f->link = opened;
    opened = f;
    return f;
}

FILE *fopen(const char *path, const char *mode)
{
    int flags = strchr(mode, '+') ? O_RDWR : *mode == 'r' ? O_RDONLY : O_WRONLY, fd;
    FILE *f;

    if (*mode == 'w')
        flags |= O_CREAT | O_TRUNC;
    if (*mode == 'a')
        flags |= O_CREAT | O_APPEND;
    if (strchr(mode, 'e'))
        flags |= O_CLOEXEC;
    fd = open(path, flags, 0666);
    f = fd < 0 ? NULL : fdopen(fd, mode);
    if (!f && fd >= 0)
        close(fd);
    return f;
}

int fclose(FILE *f)
{
    int failed = fflush(f);

    failed |= close(f->fd);
    for (FILE **p = &opened; *p; p = &(*p)->link)
        if (*p == f) {
            *p = f->link;
            free(f);
            break;
        }
    return failed ? EOF : 0;
}

int fileno(FILE *f)
{
    return f->fd;
}

int feof(FILE *f)
{
    return f->eof;
}

int ferror(FILE *f)
{
    return f->error;
}

void clearerr(FILE *f)
{
    f->eof = f->error = false;
}

int setvbuf(FILE *f, char *buf, int mode, size_t size)
{
    (void)buf;
    (void)size;
    f->mode = mode;
    f->asked = true;
    return 0;
}

/* All of it, or EOF with the error noted in the stream. */
static int write_out(FILE *f, const unsigned char *p, size_t n)
{
    while (n) {
        ssize_t done = write(f->fd, p, n);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0) {
            f->error = true;
            return EOF;
        }
        p += done;
        n -= done;
    }
    return 0;
}

/* Writes what waits, or gives back what was read ahead. */
static int flush_one(FILE *f)
{
    int result = 0;

    if (f->writing)
        result = write_out(f, f->buf, f->end);
    else if (f->next < f->end)
        lseek(f->fd, -(off_t)(f->end - f->next), SEEK_CUR);
    f->next = f->end = 0;
    return result;
}

int fflush(FILE *f)
{
    int result = 0;

    if (f)
        return f->writing ? flush_one(f) : 0;
    result |= fflush(stdout);
    for (f = opened; f; f = f->link)
        result |= fflush(f);
    return result;
}

int fseek(FILE *f, long offset, int whence)
{
    if (flush_one(f))
        return -1;
    f->eof = false;
    return lseek(f->fd, offset, whence) < 0 ? -1 : 0;
}

long ftell(FILE *f)
{
    off_t at = lseek(f->fd, 0, SEEK_CUR);

    if (at < 0)
        return -1;
    return f->writing ? at + f->end : at - (f->end - f->next);
}

void rewind(FILE *f)
{
    fseek(f, 0, SEEK_SET);
    f->error = false;
}

/* ---- reading ---- */

/* Before a read from standard input what was printed goes out: a question comes before its answer.
 */
static bool refill(FILE *f)
{
    ssize_t n;

    if (f->writing) {
        flush_one(f);
        f->writing = false;
    }
    if (f == stdin)
        fflush(stdout);
    do
        n = read(f->fd, f->buf, BUFSIZ);
    while (n < 0 && errno == EINTR);
    f->next = 0;
    f->end = n > 0 ? n : 0;
    f->eof |= n == 0;
    f->error |= n < 0;
    return n > 0;
}

int fgetc(FILE *f)
{
    if ((f->writing || f->next == f->end) && !refill(f))
        return EOF;
    return f->buf[f->next++];
}

int getc(FILE *f)
{
    return fgetc(f);
}

int getchar(void)
{
    return fgetc(stdin);
}

int ungetc(int c, FILE *f)
{
    if (c == EOF || f->writing || f->next == 0)
        return EOF;
    f->buf[--f->next] = c;
    f->eof = false;
    return c;
}

size_t fread(void *buf, size_t size, size_t n, FILE *f)
{
    size_t want = size * n, got = 0;

    while (got < want && ((!f->writing && f->next < f->end) || refill(f))) {
        size_t part = f->end - f->next;

        if (part > want - got)
            part = want - got;
        memcpy((char *)buf + got, f->buf + f->next, part);
        f->next += part;
        got += part;
    }
    return size ? got / size : 0;
}

char *fgets(char *buf, int size, FILE *f)
{
    int n = 0, c = 0;

    while (n < size - 1 && c != '\n' && (c = fgetc(f)) != EOF)
        buf[n++] = c;
    buf[n] = '\0';
    return n ? buf : NULL;
}

ssize_t getline(char **line, size_t *size, FILE *f)
{
    size_t n = 0;
    int c = 0;

    if (!*line)
        *size = 0;
    while (c != '\n' && (c = fgetc(f)) != EOF) {
        if (n + 2 > *size) {
            char *bigger = realloc(*line, 2 * n + 80);

            if (!bigger)
                return -1;
            *line = bigger;
            *size = 2 * n + 80;
        }
        (*line)[n++] = c;
        (*line)[n] = '\0';
    }
    return n ? (ssize_t)n : -1;
}

/* ---- writing ---- */

/* By lines on a terminal, else by buffers; asked only at the first write, which keeps errno. */
static void settle_mode(FILE *f)
{
    int saved = errno;

    f->mode = isatty(f->fd) ? _IOLBF : _IOFBF;
    f->asked = true;
    errno = saved;
}

size_t fwrite(const void *buf, size_t size, size_t n, FILE *f)
{
    size_t bytes = size * n;
    int failed = 0;

    if (!f->asked)
        settle_mode(f);
    if (!f->writing) {
        flush_one(f);
        f->writing = true;
    }
    if (f->end + bytes > BUFSIZ)
        failed = flush_one(f);
    if (f->mode == _IONBF || bytes > BUFSIZ) {
        failed |= write_out(f, buf, bytes);
    } else {
        memcpy(f->buf + f->end, buf, bytes);
        f->end += bytes;
        if (f->mode == _IOLBF && memchr(buf, '\n', bytes))
            failed |= flush_one(f);
    }
    return failed ? 0 : n;
}

int fputc(int c, FILE *f)
{
    unsigned char byte = c;

    return fwrite(&byte, 1, 1, f) == 1 ? byte : EOF;
}

int putc(int c, FILE *f)
{
    return fputc(c, f);
}

int putchar(int c)
{
    return fputc(c, stdout);
}

int fputs(const char *s, FILE *f)
{
    size_t n = strlen(s);

    return fwrite(s, 1, n, f) == n ? 0 : EOF;
}

int puts(const char *s)
{
    return fputs(s, stdout) == EOF || putchar('\n') == EOF ? EOF : 0;
}

int vfprintf(FILE *f, const char *fmt, va_list ap)
{
    char small[256], *text = small;
    int n = vsnprintf(small, sizeof(small), fmt, ap);

    if (n >= (int)sizeof(small)) {
        text = malloc(n + 1);
        if (!text)
            return -1;
        vsnprintf(text, n + 1, fmt, ap);
    }
    if (fwrite(text, 1, n, f) != (size_t)n)
        n = -1;
    if (text != small)
        free(text);
    return n;
}

int fprintf(FILE *f, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vfprintf(f, fmt, ap);
    va_end(ap);
    return n;
}

int vprintf(const char *fmt, va_list ap)
{
    return vfprintf(stdout, fmt, ap);
}

int printf(const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vfprintf(stdout, fmt, ap);
    va_end(ap);
    return n;
}

int sprintf(char *buf, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(buf, (size_t)-1 / 2, fmt, ap);
    va_end(ap);
    return n;
}

void perror(const char *what)
{
    int error = errno;

    fprintf(stderr, "%s%s%s\n", what ? what : "", what && *what ? ": " : "", strerror(error));
}
