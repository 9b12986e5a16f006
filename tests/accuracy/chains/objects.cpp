/* C++: methods, templates, exceptions. The names are those of symbol_display_name(). */
#include <algorithm>
#include <cstddef>
#include <functional>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

#include "chains.h"

#define ROOT ";chain_main;main;@process"

static volatile uint64_t sink;

namespace shapes
{
struct Shape {
	virtual ~Shape() = default;
	virtual void draw(int depth) const = 0;
};

struct Circle : Shape {
	KEEP void draw(int depth) const override;
};

KEEP void Circle::draw(int depth) const
{
	burn_as("virtual");
	sink += static_cast<uint64_t>(depth);
}

template <typename T, int N> struct Box {
	T item;
	KEEP void open(const Shape &shape)
	{
		shape.draw(N);
		sink++;
	}
};

/* The second base: its method is called through a thunk, which jumps. */
struct Named {
	virtual ~Named() = default;
	virtual void name() const = 0;
};

struct Both : Circle, Named {
	KEEP void name() const override;
};

KEEP void Both::name() const
{
	burn_as("thunk");
	sink++;
}
} // namespace shapes

KEEP static void call_name(const shapes::Named &named)
{
	named.name();
	sink++;
}

static void case_virtual()
{
	chain_expect("virtual",
		     "burn;burn_as;shapes::Circle::draw;shapes::Box<int, 7>::open;*" ROOT);
	chain_expect("thunk", "burn;burn_as;shapes::Both::name;call_name;*" ROOT);
	shapes::Box<int, 7> box{};
	shapes::Both both;
	while (chain_goes_on()) {
		box.open(both);
		call_name(both);
	}
}

/* ---- the standard library calls back ---- */

KEEP static bool less_for_sort(int a, int b)
{
	burn_as("sort");
	return a < b;
}

static void case_callbacks()
{
	chain_expect("sort", "burn;burn_as;less_for_sort;*" ROOT);
	chain_expect("function", "burn;burn_as;*" ROOT);
	while (chain_goes_on()) {
		std::vector<int> numbers{3, 1, 2};
		std::sort(numbers.begin(), numbers.end(), less_for_sort);
		std::function<void(int)> function = [&numbers](int i) {
			burn_as("function");
			numbers[0] += i;
		};
		function(3);
		sink += static_cast<uint64_t>(numbers[0]);
	}
}

/* ---- exceptions ---- */

struct Guard {
	const char *id;
	KEEP ~Guard();
};

KEEP Guard::~Guard()
{
	burn_as(id);
	sink++;
}

KEEP static void thrower(int depth)
{
	if (depth > 0)
		thrower(depth - 1);
	else
		throw std::runtime_error("thrown");
	sink++;
}

/* Destroyed while the exception passes through. */
KEEP static void guarded(int depth)
{
	Guard guard{"destructor"};
	thrower(depth);
	sink++;
}

KEEP static void catcher(int depth)
{
	try {
		guarded(depth);
	} catch (const std::exception &e) {
		burn_as("catch");
		sink += reinterpret_cast<uintptr_t>(&e);
	}
	sink++;
}

static void case_exceptions()
{
	chain_expect("destructor",
		     "burn;burn_as;Guard::~Guard;guarded|guarded.cold;catcher;*" ROOT);
	chain_expect("catch", "burn;burn_as;catcher|catcher.cold;*" ROOT);
	while (chain_goes_on())
		catcher(5);
}

/* Throwing and catching: the unwinder of the language is what is sampled. */
KEEP static void try_again(int depth)
{
	try {
		thrower(depth);
	} catch (const std::exception &) {
		sink++;
	}
	burn_little();
	NO_TAIL_CALL();
}

KEEP static void throw_work()
{
	window_begin("throw");
	for (int i = 0; i < 1000; i++)
		try_again(3);
	window_end();
}

static void case_throw()
{
	chain_expect("throw", "*;try_again|try_again.cold;throw_work;case_throw" ROOT);
	chain_expect("throw", "throw_work;case_throw" ROOT);
	while (chain_goes_on())
		throw_work();
}

/* ---- std::thread ---- */

KEEP static void in_thread(int n)
{
	burn_as("thread");
	sink += static_cast<uint64_t>(n);
}

static void case_thread()
{
	chain_expect("thread", "burn;burn_as;in_thread;*;@thread");
	while (chain_goes_on()) {
		std::thread one(in_thread, 1), two(in_thread, 2);
		one.join();
		two.join();
	}
}

const struct chain_case chain_cases[] = {
	{"virtual", case_virtual}, {"callbacks", case_callbacks}, {"exceptions", case_exceptions},
	{"throw", case_throw},	   {"thread", case_thread},	  {nullptr, nullptr},
};

int main(int argc, char **argv)
{
	int rc = chain_main(argc, argv);
	NO_TAIL_CALL();
	return rc;
}
