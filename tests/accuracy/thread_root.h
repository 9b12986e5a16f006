/* Where threads of this host's C library begin, as the compiler's own unwinder
 * says: the call in clone3, which is named nowhere in a stripped library. */
#pragma once

#include <stdint.h>

/* ELF virtual address in libc.so.6 of the byte before the outermost return address; 0: unknown. */
uint64_t thread_root_vaddr(void);
