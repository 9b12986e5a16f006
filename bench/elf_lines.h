/* Source lines: how many addresses a second. */
#pragma once

void bench_lines(void);
