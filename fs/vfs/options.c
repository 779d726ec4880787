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

bool mount_option_names_are(const char *data, const char *const *known)
{
    while (data && *data) {
        const char *end = strchr(data, ','), *stop = end ? end : data + strlen(data);
        const char *equals = memchr(data, '=', (size_t)(stop - data));

        if (stop > data && !is_known(data, (size_t)((equals ? equals : stop) - data), known))
            return false;
        data = end ? end + 1 : NULL;
    }
    return true;
}

bool mount_options_are(const char *data, const char *const *known)
{
    while (data && *data) {
        const char *end = strchr(data, ',');

        if (!is_known(data, end ? (size_t)(end - data) : strlen(data), known))
            return false;
        data = end ? end + 1 : NULL;
    }
    return true;
}
