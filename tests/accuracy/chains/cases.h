/* What main.c lists. Each is in the file of its kind. */
#pragma once

#include "chains.h"

/* The part of a chain below a case. */
#define ROOT ";chain_main;main;@process"

/* calls.c */
void case_plain(void);
void case_deep10(void);
void case_deep100(void);
void case_deep1000(void);
void case_tail(void);
void case_callbacks(void);
void case_cold(void);
void case_prologue(void);
void case_library(void);
void case_inline(void);
/* frames.c */
void case_alloca(void);
void case_realign(void);
void case_jit(void);
/* signals.c */
void case_signal(void);
void case_altstack(void);
void case_nested(void);
void case_timer(void);
/* tasks.c */
void case_vfork(void);
void case_threads(void);
void case_memfd(void);
void case_storm(void);
void case_coroutine(void);
/* system.c */
void case_clock(void);
void case_kernel(void);
void case_faults(void);
void case_dlopen(void);
/* asm.c */
void case_asm(void);
