/* The commands of `cresset store` that only look. */
#pragma once

int store_look_verify(int argc, char **argv);
int store_look_stats(int argc, char **argv);
