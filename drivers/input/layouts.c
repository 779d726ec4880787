/*
 * Keyboard layouts. A level of a layout is a string with one character for each key, row by row as
 * they lie on the keyboard; a space stands for none. A combining accent is a dead key: it waits for
 * the letter that it goes on.
 */
#include "drivers/input/layouts.h"
#include "libc/string.h"

#define LEVELS 3

struct layout {
    const char *name;
    const char *level[LEVELS]; /* plain, with shift, with AltGr (NULL: that is Alt) */
};

/* The digits' row from the key beside 1, three rows of letters (the key that is above or beside
 * Enter between the second and the third), and the key beside the left shift. */
static const struct layout layouts[] = {
    {.name = "us",
     .level = {"1234567890-=qwertyuiop[]asdfghjkl;'`\\zxcvbnm,./<",
               "!@#$%^&*()_+QWERTYUIOP{}ASDFGHJKL:\"~|ZXCVBNM<>?>", NULL}},
    {.name = "de",
     .level = {"1234567890ß\u0301qwertzuiopü+asdfghjklöä\u0302#yxcvbnm,.-<",
               "!\"§$%&/()=?\u0300QWERTZUIOPÜ*ASDFGHJKLÖÄ°'YXCVBNM;:_>",
               " ²³   {[]}\\ @ €        ~                   µ   |"}},
    {.name = "fr",
     .level = {"&é\"'(-è_çà)=azertyuiop\u0302$qsdfghjklmù²*wxcvbn,;:!<",
               "1234567890°+AZERTYUIOP\u0308£QSDFGHJKLM% µWXCVBN?./§>",
               " ~#{[|`\\^@]}  €        ¤                        "}},
};

/* Which character of the string a scan code of set 1 is, or -1. */
static int position(uint8_t code)
{
    if (code >= 0x02 && code <= 0x0d)
        return code - 0x02;
    if (code >= 0x10 && code <= 0x1b)
        return code - 0x10 + 12;
    if (code >= 0x1e && code <= 0x29)
        return code - 0x1e + 24;
    if (code >= 0x2b && code <= 0x35)
        return code - 0x2b + 36;
    return code == 0x56 ? 47 : -1;
}

/* The character at *s, which is moved past it; the strings here are well-formed and stay below
 * 0x10000. */
static uint16_t next_char(const char **s)
{
    const uint8_t *p = (const uint8_t *)*s;

    if (p[0] < 0x80) {
        *s += 1;
        return p[0];
    }
    if (p[0] < 0xe0) {
        *s += 2;
        return (uint16_t)((p[0] & 0x1f) << 6 | (p[1] & 0x3f));
    }
    *s += 3;
    return (uint16_t)((p[0] & 0x0f) << 12 | (p[1] & 0x3f) << 6 | (p[2] & 0x3f));
}

const struct layout *layout_find(const char *name)
{
    for (unsigned i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++) {
        if (strcmp(layouts[i].name, name) == 0)
            return &layouts[i];
    }
    return NULL;
}

bool layout_has_altgr(const struct layout *l)
{
    return l && l->level[LAYOUT_ALTGR];
}

uint16_t layout_char(const struct layout *l, enum layout_level level, uint8_t code)
{
    const char *s = (l ? l : &layouts[0])->level[level];
    int at = position(code);
    uint16_t c = ' ';

    if (at < 0 || !s)
        return 0;
    for (int i = 0; i <= at; i++)
        c = next_char(&s);
    return c == ' ' ? 0 : c;
}

bool layout_is_dead(uint16_t c)
{
    return c >= 0x300 && c < 0x370;
}

/* Pairs of a letter and what it becomes; the first letter, a space, gives the accent alone. */
static const struct {
    uint16_t accent;
    const char *pairs;
} compositions[] = {
    {0x301, " ´aáeéiíoóuúyýAÁEÉIÍOÓUÚYÝ"},
    {0x300, " `aàeèiìoòuùAÀEÈIÌOÒUÙ"},
    {0x302, " ^aâeêiîoôuûAÂEÊIÎOÔUÛ"},
    {0x308, " ¨aäeëiïoöuüyÿAÄEËIÏOÖUÜ"},
    {0x303, " ~aãoõnñAÃOÕNÑ"},
};

uint16_t layout_compose(uint16_t accent, uint16_t letter)
{
    for (unsigned i = 0; i < sizeof(compositions) / sizeof(compositions[0]); i++) {
        const char *s = compositions[i].pairs;
        while (compositions[i].accent == accent && *s) {
            uint16_t from = next_char(&s), to = next_char(&s);
            if (from == letter)
                return to;
        }
    }
    return 0;
}
