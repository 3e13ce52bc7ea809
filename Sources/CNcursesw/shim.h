#ifndef W2W_CNCURSESW_SHIM_H
#define W2W_CNCURSESW_SHIM_H
// Wide functions (get_wch, add_wch, setcchar) exist only with this, and must be asked for before the header.
#define NCURSES_WIDECHAR 1
// Functions instead of macros, which Swift cannot see.
#define NCURSES_NOMACROS 1
#include <curses.h>
#include <term.h>
#endif
