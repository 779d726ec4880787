/* The environment, sorting, and other odds and ends of <stdlib.h>. */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The place in environ of name, or of the NULL at its end. */
static char **env_slot(const char *name)
{
    size_t len = strlen(name);
    char **e = environ;

    while (*e && !(strncmp(*e, name, len) == 0 && (*e)[len] == '='))
        e++;
    return e;
}

char *getenv(const char *name)
{
    char *entry = *env_slot(name);

    return entry ? entry + strlen(name) + 1 : NULL;
}

/* Makes room for one entry more: the array from the kernel cannot grow where it is. */
static bool env_grow(void)
{
    static char **owned;
    size_t n = 0;
    char **bigger;

    while (environ[n])
        n++;
    bigger = malloc((n + 2) * sizeof(char *));
    if (!bigger)
        return false;
    memcpy(bigger, environ, (n + 1) * sizeof(char *));
    bigger[n + 1] = NULL;
    free(owned);
    environ = owned = bigger;
    return true;
}

int setenv(const char *name, const char *value, int overwrite)
{
    size_t len = strlen(name);
    char *entry;

    if (!len || strchr(name, '=')) {
        errno = EINVAL;
        return -1;
    }
    if (*env_slot(name) && !overwrite)
        return 0;
    entry = malloc(len + strlen(value) + 2);
    if (!entry || (!*env_slot(name) && !env_grow())) {
        free(entry);
        return -1;
    }
    memcpy(entry, name, len);
    entry[len] = '=';
    strcpy(entry + len + 1, value);
    *env_slot(name) = entry;
    return 0;
}

int unsetenv(const char *name)
{
    char **e = env_slot(name);

    for (; *e; e++)
        e[0] = e[1];
    return 0;
}

int atoi(const char *s)
{
    return strtol(s, NULL, 10);
}

long atol(const char *s)
{
    return strtol(s, NULL, 10);
}

int abs(int n)
{
    return n < 0 ? -n : n;
}

static void swap(char *a, char *b, size_t size)
{
    while (size--) {
        char t = *a;

        *a++ = *b;
        *b++ = t;
    }
}

typedef int (*compare_fn)(const void *, const void *);

/* Moves the element at root down until neither child is larger. */
static void sift_down(char *base, size_t root, size_t n, size_t size, compare_fn compare)
{
    size_t child;

    while ((child = 2 * root + 1) < n) {
        if (child + 1 < n && compare(base + child * size, base + (child + 1) * size) < 0)
            child++;
        if (compare(base + root * size, base + child * size) >= 0)
            return;
        swap(base + root * size, base + child * size, size);
        root = child;
    }
}

/* Heap sort: O(n log n) always, and in place. */
void qsort(void *base, size_t n, size_t size, compare_fn compare)
{
    for (size_t i = n / 2; i-- > 0;)
        sift_down(base, i, n, size, compare);
    while (n > 1) {
        swap(base, (char *)base + --n * size, size);
        sift_down(base, 0, n, size, compare);
    }
}

void *bsearch(const void *key, const void *base, size_t n, size_t size, compare_fn compare)
{
    const char *low = base;

    while (n) {
        const char *middle = low + n / 2 * size;
        int order = compare(key, middle);

        if (order == 0)
            return (void *)middle;
        if (order > 0) {
            low = middle + size;
            n--;
        }
        n /= 2;
    }
    return NULL;
}

static uint32_t random_state = 1;

void srand(unsigned seed)
{
    random_state = seed ? seed : 1;
}

/* xorshift32. */
int rand(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state & RAND_MAX;
}
