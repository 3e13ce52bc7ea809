#ifndef W2W_CNCURSESW_SHIM_H
#define W2W_CNCURSESW_SHIM_H
// Wide functions (get_wch, add_wch, setcchar) exist only with this, and must be asked for before the header.
#define NCURSES_WIDECHAR 1
// Functions instead of macros, which Swift cannot see.
#define NCURSES_NOMACROS 1
#include <curses.h>
#include <term.h>
#include <stdint.h>
#include <stdlib.h>
// term.h defines these common words as macros.
#undef lines
#undef columns
#undef tab

// Global variables are "not concurrency-safe" for Swift 6; a function is. Newer versions hide what a window is made of, and then Swift has
// another type for pointers to it: pass them on without naming it.
static inline WINDOW *w2w_stdscr(void) { return stdscr; }
static inline WINDOW *w2w_curscr(void) { return curscr; }
static inline TERMINAL *w2w_cur_term(void) { return cur_term; }
static inline int w2w_colors(void) { return COLORS; }
static inline int w2w_color_pairs(void) { return COLOR_PAIRS; }
// newterm instead of initscr, which ends the process by itself when it does not like TERM.
static inline SCREEN *w2w_newterm(const char *type) { return newterm(type, stdout, stdin); }

// Attribute macros are casts and shifts that the importer cannot read.
static inline attr_t w2w_bold(void) { return A_BOLD; }
static inline attr_t w2w_dim(void) { return A_DIM; }
static inline attr_t w2w_reverse(void) { return A_REVERSE; }
static inline attr_t w2w_underline(void) { return A_UNDERLINE; }

// A terminfo string, or NULL where the entry has none (curses says -1 for "not a string").
static inline const char *w2w_tigetstr(const char *name) {
    char *value = tigetstr(name);
    return value == (char *)-1 ? NULL : value;
}

// Width of a character as the C library, and with it curses, sees it. A wchar_t has a sign on some processors and none on others.
extern int wcwidth(wchar_t);
static inline int w2w_width(uint32_t scalar) { return wcwidth((wchar_t)scalar); }

// One cell: up to CCHARW_MAX wide characters (one spacing, the rest combining). The pair goes through `opts`, whose int is not cut at
// 32767 as the short argument is.
static inline int w2w_put_cell(WINDOW *window, int y, int x, const uint32_t *scalars, int count, attr_t attributes, int pair) {
    wchar_t text[CCHARW_MAX + 1];
    int n = 0;
    for (; n < count && n < CCHARW_MAX; n++) text[n] = (wchar_t)scalars[n];
    text[n] = 0;
    cchar_t cell;
    if (setcchar(&cell, text, attributes, (short)(pair > 32767 ? 32767 : pair), &pair) == ERR) return ERR;
    return mvwadd_wch(window, y, x, &cell);
}
#endif
