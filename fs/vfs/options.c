/* The options of a mount: a text of names and values, parted by commas. */
#include "fs/vfs/vfs.h"
#include "libc/string.h"

bool mount_option(const char *data, const char *name, const char **value, size_t *len)
{
    size_t n = strlen(name);
    bool found = false;

    while (data && *data) {
        const char *end = strchr(data, ',');
        size_t total = end ? (size_t)(end - data) : strlen(data);

        if (total >= n && memcmp(data, name, n) == 0 && (total == n || data[n] == '=')) {
            *value = total == n ? data + n : data + n + 1;
            *len = total == n ? 0 : total - n - 1;
            found = true;
        }
        data = end ? end + 1 : NULL;
    }
    return found;
}

bool mount_has_option(const char *data, const char *name)
{
    const char *value;
    size_t len;

    return mount_option(data, name, &value, &len);
}

static bool is_known(const char *option, size_t len, const char *const *known)
{
    for (; *known; known++)
        if (strlen(*known) == len && memcmp(*known, option, len) == 0)
            return true;
    return false;
}

/* Whether all options are known, whole or by what stands before their '='. */
static bool all_known(const char *data, const char *const *known, bool by_name)
{
    while (data && *data) {
        const char *end = strchr(data, ',');
        size_t len = end ? (size_t)(end - data) : strlen(data);
        const char *equals = by_name ? memchr(data, '=', len) : NULL;

        if (!(by_name && len == 0) &&
            !is_known(data, equals ? (size_t)(equals - data) : len, known))
            return false;
        data = end ? end + 1 : NULL;
    }
    return true;
}

bool mount_option_names_are(const char *data, const char *const *known)
{
    return all_known(data, known, true);
}

bool mount_options_are(const char *data, const char *const *known)
{
    return all_known(data, known, false);
}
