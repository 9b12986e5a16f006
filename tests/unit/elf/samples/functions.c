/* Built in several ways: PIE, fixed address, static, stripped, lazy and IBT PLT. */
#include <stdio.h>
#include <stdlib.h>

int sample_global(int x);
int sample_alias(int x) __attribute__((alias("sample_global")));
int __sample_hidden_name(int x) __attribute__((alias("sample_global")));
int sample_weak(int x);

__attribute__((noinline, noclone)) static int sample_static(int x)
{
	__asm__ volatile("" : "+r"(x));
	return x * 3 + 1;
}

__attribute__((noinline)) int sample_global(int x)
{
	return sample_static(x) + 2;
}

__attribute__((noinline, weak)) int sample_weak(int x)
{
	return sample_static(x) - 2;
}

int main(int argc, char **argv)
{
	if (argc > 100)
		qsort(argv, 2, 8, (int (*)(const void *, const void *))(void *)sample_global);
	return printf("%s %d\n", argv[0], sample_global(argc) + sample_weak(argc)) < 0;
}
