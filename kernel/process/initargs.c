/*
 * The command line as Linux hands it on to init: what the kernel does not know goes to init, words
 * with '=' into its environment, the others to its arguments; after a lone "--" all are arguments.
 */
#include "kernel/process/initargs.h"
#include "kernel/base/boot.h"
#include "libc/ctype.h"
#include "libc/string.h"

#define CMDLINE_MAX 2048

/* Options of the loader, and of Linux, where the kernel takes them and init never sees them; the
 * name up to '='. Those that this kernel asks for by name are not here: boot_is_taken(). */
static const char *const known[] = {
    "BOOT_IMAGE", "console",     "debug",    "earlyprintk", "initrd",
    "maxcpus",    "mitigations", "nokaslr",  "nosmp",       "ro",
    "rootflags",  "rootfstype",  "rootwait", "tsc",         "vga",
};

static char words[CMDLINE_MAX];

static bool is_known(const char *word)
{
    const char *eq = strchr(word, '=');
    size_t len = eq ? (size_t)(eq - word) : strlen(word);

    /* module.parameter=: of a module that is not there. */
    if (memchr(word, '.', len))
        return true;
    if (boot_is_taken(word, len))
        return true;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strlen(known[i]) == len && memcmp(known[i], word, len) == 0)
            return true;
    }
    return false;
}

/* Cuts the next word off *s: blanks end it unless quoted, the quotes go. NULL at the end. */
static char *cut_word(char **s)
{
    char *p = *s, *word, *out;
    bool quoted = false;

    while (isspace(*p))
        p++;
    if (!*p)
        return NULL;
    word = out = p;
    for (; *p && (quoted || !isspace(*p)); p++) {
        if (*p == '"')
            quoted = !quoted;
        else
            *out++ = *p;
    }
    *s = *p ? p + 1 : p;
    *out = '\0';
    return word;
}

static void add_argument(struct init_args *a, char *word)
{
    for (int i = 1; i <= INIT_WORDS; i++) {
        if (!a->argv[i]) {
            a->argv[i] = word;
            return;
        }
    }
}

/* A variable that is there already is replaced. */
static void add_variable(struct init_args *a, char *word)
{
    size_t len = (size_t)(strchr(word, '=') - word) + 1;

    for (int i = 0; i < INIT_WORDS + 2; i++) {
        if (!a->envp[i] || strncmp(a->envp[i], word, len) == 0) {
            a->envp[i] = word;
            return;
        }
    }
}

/* Arguments before it were meant for another program. */
static void set_program(struct init_args *a, char **program, char *path)
{
    memset(a->argv, 0, sizeof(a->argv));
    *program = path;
}

static void take_option(struct init_args *a, char *word)
{
    if (strncmp(word, "rdinit=", 7) == 0) {
        set_program(a, &a->archive_program, word + 7);
    } else if (strncmp(word, "init=", 5) == 0) {
        set_program(a, &a->program, word + 5);
    } else if (!is_known(word)) {
        if (strchr(word, '='))
            add_variable(a, word);
        else
            add_argument(a, word);
    }
}

void init_args_parse(struct init_args *a)
{
    static char home[] = "HOME=/", term[] = "TERM=linux";
    bool after_dashes = false;
    char *rest = words, *word;

    memset(a, 0, sizeof(*a));
    a->envp[0] = home;
    a->envp[1] = term;
    strlcpy(words, boot_info.cmdline, sizeof(words));
    while ((word = cut_word(&rest))) {
        if (after_dashes)
            add_argument(a, word);
        else if (strcmp(word, "--") == 0)
            after_dashes = true;
        else
            take_option(a, word);
    }
}
