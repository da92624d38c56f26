// Templates, lambdas, nested macros, exceptions, a switch, code from an include: two translation
// units and a header that both use.
#include "inner/shapes.h"

#include <cstdio>
#include <cstdlib>
#include <map>
#include <stdexcept>
#include <string>

#define LESS(a, b) ((a) < (b))
#define BETWEEN(x, low, high) (LESS(low, x) && LESS(x, high))
#define REQUIRE(what)                                                          \
  do {                                                                         \
    if (!(what))                                                               \
      throw std::runtime_error(#what);                                         \
  } while (0)

namespace {

template <typename T> T larger(T a, T b) {
  if (a < b)
    return b;
  return a;
}

template <typename T, int N> struct Ring {
  T items[N] = {};
  int next = 0;

  void push(T item) {
    items[next % N] = item;
    next++;
  }
  bool full() const { return next >= N; }
};

int never_called(int n) {
  for (int i = 0; i < n; i++)
    n += i % 2 ? 1 : 2;
  return n;
}

inline int unused_inline() { return 5; }

int word(int n) {
  switch (n) {
#include "inner/cases.inc"
  default:
    return -1;
  }
}

} // namespace

int main(int argc, char **argv) try {
  std::map<std::string, int> seen;
  Ring<int, 3> numbers;
  Ring<double, 2> halves;
  auto add = [&](auto value) {
    seen[std::to_string(value)]++;
    return value + value;
  };
  for (int i = 1; i < argc; i++) {
    int n = std::atoi(argv[i]);
    REQUIRE(n != 13);
    numbers.push(larger(n, add(n) - 3));
    if (BETWEEN(n, 2, 9) || n == 20)
      halves.push(larger(n / 2.0, add(0.5)));
#ifdef NOT_DEFINED
    std::puts("skipped");
    return 7;
#endif
    std::printf("%d %s\n", word(n), numbers.full() ? "full" : "room");
  }
  area(argc);
  return argc > 100 ? never_called(argc) : 0;
} catch (const std::runtime_error &error) {
  std::puts(error.what());
  return 0;
}
