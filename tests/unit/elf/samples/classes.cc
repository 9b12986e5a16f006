// Names of C++ as compilers mangle them: namespaces, templates, operators, a local name.
#include <map>
#include <string>
#include <vector>

namespace cresset_sample {
template <typename T> struct box {
	T value;
	__attribute__((noinline)) T twice(int times) const;
};
template <typename T> T box<T>::twice(int times) const
{
	return value + value * times;
}
template struct box<int>;
template struct box<double>;

namespace {
__attribute__((noinline)) int hidden(int x)
{
	__asm__ volatile("" : "+r"(x));
	return x + 1;
}
} // namespace

__attribute__((noinline)) int operator+(const box<int> &a, const box<int> &b)
{
	auto add = [](int x, int y) __attribute__((noinline)) { return hidden(x) + y; };
	return add(a.value, b.value);
}
} // namespace cresset_sample

int main(int argc, char **)
{
	cresset_sample::box<int> a{argc}, b{2};
	std::map<std::string, std::vector<int>> all;
	all["x"].push_back(a + b);
	return all.size() == a.twice(3) + static_cast<int>(cresset_sample::box<double>{1}.twice(1));
}
