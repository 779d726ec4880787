/* "#!": the first line of a script, by Linux's rules. man 2 execve. */
#include "kernel/process/exec.h"
#include "libc/errno.h"
#include "libc/string.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* The end of the line in [p, limit), blanks at its end left out. NULL: it goes on past limit. */
static char *line_end(char *p, char *limit)
{
    char *end = memchr(p, '\n', (size_t)(limit - p));

    if (!end)
        end = memchr(p, '\0', (size_t)(limit - p));
    if (!end) {
        /* Cut off: fine as long as the cut is in the argument, not in the interpreter's name. */
        while (p < limit && is_blank(*p))
            p++;
        while (p < limit && !is_blank(*p))
            p++;
        if (p >= limit)
            return NULL;
        end = limit;
    }
    while (end > p && is_blank(end[-1]))
        end--;
    return end;
}

int script_parse(char *head, const char **interpreter, const char **argument)
{
    char *p = head + 2, *end;
    bool nothing = !head[2]; /* the file ends after "#!": Linux tries the current directory */

    if (head[0] != '#' || head[1] != '!')
        return -ENOEXEC;
    end = line_end(p, head + SCRIPT_HEAD - 1);
    if (!end)
        return -ENOEXEC;
    *end = '\0';
    while (is_blank(*p))
        p++;
    if (!*p)
        return nothing ? -EACCES : -ENOEXEC;
    *interpreter = p;
    *argument = NULL;
    while (*p && !is_blank(*p))
        p++;
    if (!*p)
        return 0;
    *p++ = '\0';
    while (is_blank(*p))
        p++;
    if (*p)
        *argument = p;
    return 0;
}
